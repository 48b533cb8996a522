import { textOf } from "../errors.ts";

/** Data to write: bytes, text (sent as UTF-8), or a list of them in order. */
export type WriteData = Uint8Array | string | readonly (Uint8Array | string)[];

/** The length in bytes. */
export function lengthOf(data: WriteData): number {
  if (typeof data === "string") return Buffer.byteLength(data);
  return data instanceof Uint8Array ? data.length : data.reduce((sum, part) => sum + lengthOf(part), 0);
}

/** Returns the error for data that is not {@link WriteData}. Called before any of it is queued. */
export function mistakeIn(data: unknown): TypeError | undefined {
  if (isPart(data)) return undefined;
  const parts: readonly unknown[] = Array.isArray(data) ? data : [data];
  const wrong = parts.findIndex((part) => !isPart(part));
  if (wrong === -1) return undefined;
  return new TypeError(`data must be bytes, text or a list of them: ${textOf(parts[wrong])}`);
}

function isPart(data: unknown): data is Uint8Array | string {
  return typeof data === "string" || data instanceof Uint8Array;
}

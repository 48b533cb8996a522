import { textOf } from "../errors.ts";

/** What can be written: bytes, text (sent as UTF-8), or several of them in order. */
export type WriteData = Uint8Array | string | readonly (Uint8Array | string)[];

/** In bytes. */
export function lengthOf(data: WriteData): number {
  if (typeof data === "string") return Buffer.byteLength(data);
  return data instanceof Uint8Array ? data.length : data.reduce((sum, part) => sum + lengthOf(part), 0);
}

/** What cannot be written is refused before any of it is taken. */
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

import type { Codec } from "./codec.ts";

/** Parts of up to so many bytes on average are copied together: each by itself would cost more than its bytes. */
const JOINED_BYTES_MAX = 1_024;

/** The bytes of several frames behind one another, in as few parts as pays. */
export function encodeBatch<In, Out>(
  codec: Codec<In, Out>,
  frames: readonly Out[],
): Uint8Array | string | readonly (Uint8Array | string)[] {
  if (codec.encodeBatch !== undefined) return codec.encodeBatch(frames);
  const parts = frames.flatMap((frame) => codec.encode(frame));
  const bytes = parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part));
  const total = bytes.reduce((sum, part) => sum + part.length, 0);
  return total > parts.length * JOINED_BYTES_MAX ? bytes : Buffer.concat(bytes, total);
}

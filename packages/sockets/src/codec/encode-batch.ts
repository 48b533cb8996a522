import type { Codec } from "./codec.ts";

/** The bytes of several frames behind one another. */
export function encodeBatch<In, Out>(
  codec: Codec<In, Out>,
  frames: readonly Out[],
): Uint8Array | string | readonly (Uint8Array | string)[] {
  return codec.encodeBatch?.(frames) ?? frames.flatMap((frame) => codec.encode(frame));
}

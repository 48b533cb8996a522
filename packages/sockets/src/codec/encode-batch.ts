import type { Codec } from "./codec.ts";

/** Returns the bytes of several frames in order. */
export function encodeBatch<In, Out>(
  codec: Codec<In, Out>,
  frames: readonly Out[],
): Uint8Array | string | readonly (Uint8Array | string)[] {
  return codec.encodeBatch?.(frames) ?? frames.flatMap((frame) => codec.encode(frame));
}

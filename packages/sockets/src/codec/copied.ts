import type { Codec } from "./codec.ts";
import { mapped } from "./mapped.ts";

/** Option of the codecs whose frames are bytes. */
export interface CopyOption {
  /**
   * Give every frame memory of its own. Otherwise frames share it with the chunk that they came in, and one that is kept
   * keeps the chunk too, up to 64 KiB. @default false
   */
  readonly copy?: boolean | undefined;
}

/** A codec whose frames are copies, if that is wanted. */
export function copiedIf(copy: boolean | undefined, codec: Codec<Uint8Array>): Codec<Uint8Array> {
  if (!copy) return codec;
  return mapped(codec, {
    // Not from Node's shared pool, of which a small one would keep 8 KiB.
    decode: (frame: Uint8Array) => Buffer.from(new Uint8Array(frame).buffer),
    encode: (frame: Uint8Array) => frame,
  });
}

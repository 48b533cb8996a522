import type { Codec } from "./codec.ts";
import { mapped } from "./mapped.ts";

/** Option of codecs whose frames are bytes. */
export interface CopyOption {
  /**
   * Copies every frame into its own memory. Otherwise a frame shares memory with its chunk, and keeping the frame keeps
   * the chunk too, up to 64 KiB.
   *
   * @default false
   */
  readonly copy?: boolean | undefined;
}

/** Returns a codec that copies its frames if `copy` is true. */
export function copiedIf(copy: boolean | undefined, codec: Codec<Uint8Array>): Codec<Uint8Array> {
  if (!copy) return codec;
  return mapped(codec, {
    // Do not use Node's buffer pool: a small frame would keep 8 KiB of it.
    decode: (frame: Uint8Array) => Buffer.from(new Uint8Array(frame).buffer),
    encode: (frame: Uint8Array) => frame,
  });
}

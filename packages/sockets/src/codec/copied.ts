import type { Codec } from "./codec.ts";

/** Option of the codecs whose frames are bytes. */
export interface CopyOption {
  /**
   * Give every frame memory of its own. Otherwise frames share it with the chunk that they came in, and one that is kept
   * keeps the chunk too, up to 64 KiB. @default false
   */
  readonly copy?: boolean;
}

/** A codec whose frames are copies, if that is wanted. */
export function copiedIf(copy: boolean | undefined, codec: Codec<Uint8Array>): Codec<Uint8Array> {
  if (!copy) return codec;
  const copied = (frames: readonly Uint8Array[]): readonly Uint8Array[] =>
    // Not from Node's shared pool, of which a small one would keep 8 KiB.
    frames.map((frame) => Buffer.from(new Uint8Array(frame).buffer));
  return {
    decoder: () => {
      const decoder = codec.decoder();
      return {
        decode: (chunk, framesMax) => copied(decoder.decode(chunk, framesMax)),
        end: () => copied(decoder.end()),
        rest: () => decoder.rest(),
      };
    },
    encode: (frame) => codec.encode(frame),
  };
}

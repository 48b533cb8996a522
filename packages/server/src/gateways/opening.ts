import { type Codec, type Decoder, SocketError } from "@landline/sockets";

/** Takes the first bytes of a stream one by one: whether it has shown that it is what it should be, or that it is not. */
export type Opening = (byte: number) => "undecided" | "right" | "wrong";

const NO_BYTES = new Uint8Array(0);
const PREFIX_BYTES = 4;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/**
 * JSON text: white space and words of letters, then `{` or `[`. A word is answered as what is not JSON, and may be what
 * somebody types first. It ends with its line or at a bracket: no method of HTTP does (RFC 9112, section 3).
 */
export function jsonOpening(): Opening {
  let isInWord = false;
  return (byte) => {
    if (byte === BRACE || byte === BRACKET) return "right";
    if (byte === LF || byte === CR) isInWord = false;
    else if (isLetter(byte)) isInWord = true;
    else if (isInWord || (byte !== SPACE && byte !== TAB)) return "wrong";
    return "undecided";
  };
}

/** A length that is not 0, and behind it an object. Whether the length is allowed is for the codec to say. */
export function prefixOpening(): Opening {
  let bytes = 0;
  let length = 0;
  return (byte) => {
    bytes += 1;
    if (bytes > PREFIX_BYTES) return byte === BRACE ? "right" : "wrong";
    length |= byte;
    return bytes === PREFIX_BYTES && length === 0 ? "wrong" : "undecided";
  };
}

/**
 * A codec for streams that begin as they should. The decoder throws `malformed` at the first byte that is wrong, however
 * the bytes are cut and however late they come, and reads nothing from there on.
 */
export function beginning<In, Out>(opening: () => Opening, codec: Codec<In, Out>): Codec<In, Out> {
  return { ...codec, decoder: () => new OpeningDecoder(opening(), codec.decoder()) };
}

class OpeningDecoder<T> implements Decoder<T> {
  readonly #opening: Opening;
  readonly #decoder: Decoder<T>;
  #state: "undecided" | "right" | "wrong" | "over" = "undecided";

  constructor(opening: Opening, decoder: Decoder<T>) {
    this.#opening = opening;
    this.#decoder = decoder;
  }

  decode(chunk: Uint8Array, framesMax?: number): readonly T[] {
    if (this.#state === "right") return this.#decoder.decode(chunk, framesMax);
    if (this.#state === "over") return [];
    const before = this.#admitted(chunk);
    try {
      const frames = this.#decoder.decode(before, framesMax);
      if (this.#state !== "wrong" || frames.length > 0) return frames;
      throw new SocketError("malformed", "A chat connection begins with a JSON object", { operation: "decode" });
    } catch (error) {
      this.#state = "over";
      throw error;
    }
  }

  end(): readonly T[] {
    return this.#state === "wrong" || this.#state === "over" ? this.decode(NO_BYTES) : this.#decoder.end();
  }

  rest(): Uint8Array {
    return this.#decoder.rest();
  }

  /** The bytes before the first wrong one. */
  #admitted(chunk: Uint8Array): Uint8Array {
    for (let i = 0; i < chunk.length && this.#state === "undecided"; i += 1) {
      this.#state = this.#opening(chunk[i] as number);
      if (this.#state === "wrong") return chunk.subarray(0, i);
    }
    return this.#state === "wrong" ? NO_BYTES : chunk;
  }
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

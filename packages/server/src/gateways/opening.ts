import { type Codec, type Decoder, SocketError } from "@landline/sockets";

/** Checks the first bytes of a stream, one by one, until they are known to be right or wrong. */
export type Opening = (byte: number) => "undecided" | "right" | "wrong";

const NO_BYTES = new Uint8Array(0);
const PREFIX_BYTES = 4;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

/**
 * Opening of JSON text: white space and words of letters, then `{` or `[`. A word is what a person may type first; it
 * is answered as invalid JSON. It ends at its line or at a bracket. An HTTP method never does (RFC 9112, section 3).
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

/**
 * Opening of length-prefixed JSON: a length other than 0, `{`, white space, then `"` or `}`. `{` alone is not enough: other
 * protocols have a length or a random byte in its place. The codec checks the length's limit.
 */
export function prefixOpening(): Opening {
  let bytes = 0;
  let length = 0;
  return (byte) => {
    bytes += 1;
    if (bytes <= PREFIX_BYTES) {
      length |= byte;
      return bytes === PREFIX_BYTES && length === 0 ? "wrong" : "undecided";
    }
    if (bytes === PREFIX_BYTES + 1) return byte === BRACE ? "undecided" : "wrong";
    if (byte === QUOTE || byte === BRACE_END) return "right";
    return isWhiteSpace(byte) ? "undecided" : "wrong";
  };
}

/**
 * Wraps a codec with a check of the stream's opening. The decoder throws `malformed` at the first wrong byte, however
 * the bytes are split or delayed, and decodes nothing after it.
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

  /** Returns the bytes before the first wrong one. */
  #admitted(chunk: Uint8Array): Uint8Array {
    for (let i = 0; i < chunk.length && this.#state === "undecided"; i += 1) {
      this.#state = this.#opening(chunk[i] as number);
      if (this.#state === "wrong") return chunk.subarray(0, i);
    }
    return this.#state === "wrong" ? NO_BYTES : chunk;
  }
}

function isWhiteSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === LF || byte === CR;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

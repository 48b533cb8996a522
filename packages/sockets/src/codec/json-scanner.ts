/** The result of {@link JsonScanner.scan}. */
export type ScanResult =
  /** The value continues in the next chunk. */
  | "more"
  /** The value ends before `position`. */
  | "value"
  /** The byte at `position` is not allowed there. */
  | "invalid";

/** The states: what may come next. Strings have their own states, because most bytes are inside strings. */
const START = 0;
const FIRST_ITEM = 1;
const ITEM = 2;
const FIRST_KEY = 3;
const KEY = 4;
const COLON = 5;
const COMMA = 6;
const STRING = 7;
const ESCAPE = 8;
const NUMBER = 9;
const LITERAL = 10;

const BRACKET = 0x5b;
const BRACE = 0x7b;
const BOM_FIRST = 0xef;
const RECORD_SEPARATOR = 0x1e;

const OBJECT = 1;
const ARRAY = 2;

/** Error texts for a byte that is not allowed, by state. */
const WANTED: Readonly<Record<number, string>> = {
  [START]: "expected a value",
  [FIRST_ITEM]: "expected a value or ]",
  [ITEM]: "expected a value",
  [FIRST_KEY]: "expected a string or }",
  [KEY]: "expected a string",
  [COLON]: "expected :",
  [STRING]: "a string has a control character",
  [ESCAPE]: "a string has a control character",
  [LITERAL]: "expected true, false or null",
};

const LITERALS: Readonly<Record<number, string>> = {
  116: "true",
  102: "false",
  110: "null",
  78: "NaN",
  73: "Infinity",
};

/**
 * Finds the end of JSON values (RFC 8259). It reads every byte once, so values can follow each other without a
 * separator and be split anywhere. It knows the grammar and detects invalid JSON at the first wrong byte. It does not
 * check numbers, escapes and Python's `NaN`, `Infinity` and `-Infinity`: the parser does.
 */
export class JsonScanner {
  /** After {@link scan}: the first byte after the value. */
  position = 0;
  /** After {@link scan} returned `invalid`: the reason. Contains no bytes of the peer. */
  reason = "";
  /** Whether the value has non-ASCII bytes. */
  hasHighBytes = false;
  #state: number = START;
  #depth = 0;
  #literal = "";
  #literalIndex = 0;
  #isKey = false;
  readonly #stack: Uint8Array;

  constructor(depthMax: number) {
    this.#stack = new Uint8Array(depthMax);
  }

  /** Whether a value has begun and not ended. */
  get isInside(): boolean {
    return this.#state !== START;
  }

  /** Whether the value is complete if the stream ends here. Only a number has no end of its own. */
  get isWholeAtEnd(): boolean {
    return this.#state === NUMBER && this.#depth === 0;
  }

  /** Discards the current value. */
  reset(): void {
    this.#state = START;
    this.#depth = 0;
    this.hasHighBytes = false;
  }

  /** Continues at `from`. The caller must skip white space before a value. */
  scan(bytes: Uint8Array, from: number): ScanResult {
    const { length } = bytes;
    let i = from;
    while (i < length) {
      const byte = bytes[i] as number;
      switch (this.#state) {
        case STRING: {
          i = this.#skipString(bytes, i);
          break;
        }
        case ESCAPE:
          // `JSON.parse` checks the escape. Here the next byte only must not end the string.
          if (byte < 0x20) return this.#refuse(i, ESCAPE, byte);
          this.#state = STRING;
          i += 1;
          break;
        case NUMBER:
          if (isNumberByte(byte)) {
            i += 1;
          } else if (byte === 0x49) {
            // Part of -Infinity.
            this.#literalFrom(byte);
            i += 1;
          } else if (this.#depth === 0) {
            return this.#stop(i, "value");
          } else {
            this.#state = COMMA;
          }
          break;
        case LITERAL:
          if (byte !== this.#literal.charCodeAt(this.#literalIndex)) return this.#refuse(i, LITERAL, byte);
          this.#literalIndex += 1;
          i += 1;
          if (this.#literalIndex === this.#literal.length && this.#endItem()) return this.#stop(i, "value");
          break;
        default: {
          if (isWhiteSpace(byte)) {
            i += 1;
            break;
          }
          const state = this.#state;
          if (!this.#structure(byte)) return this.#refuse(i, state, byte);
          i += 1;
          if (this.#depth === 0 && this.#state === COMMA) return this.#stop(i, "value");
        }
      }
      if (this.#state < 0) return this.#refuse(i, STRING, bytes[i] as number);
      if (this.#depth === 0 && this.#state === COMMA) return this.#stop(i, "value");
    }
    this.position = i;
    return "more";
  }

  /** Consumes a byte outside of strings, numbers, literals and white space. Returns false if it is not allowed. */
  #structure(byte: number): boolean {
    switch (this.#state) {
      case COMMA: {
        const isObject = this.#stack[this.#depth - 1] === OBJECT;
        if (byte === 0x2c) this.#state = isObject ? KEY : ITEM;
        else if (byte === (isObject ? 0x7d : 0x5d)) return this.#leave();
        else return false;
        return true;
      }
      case COLON:
        this.#state = ITEM;
        return byte === 0x3a;
      case FIRST_KEY:
        if (byte === 0x7d) return this.#leave();
        return this.#key(byte);
      case KEY:
        return this.#key(byte);
      case FIRST_ITEM:
        if (byte === 0x5d) return this.#leave();
        return this.#item(byte);
      default:
        return this.#item(byte);
    }
  }

  #key(byte: number): boolean {
    this.#state = STRING;
    this.#isKey = true;
    return byte === 0x22;
  }

  #item(byte: number): boolean {
    switch (byte) {
      case 0x22:
        this.#state = STRING;
        this.#isKey = false;
        return true;
      case 0x7b:
        return this.#enter(OBJECT, FIRST_KEY);
      case 0x5b:
        return this.#enter(ARRAY, FIRST_ITEM);
      case 0x74:
      case 0x66:
      case 0x6e:
      case 0x4e:
      case 0x49:
        this.#literalFrom(byte);
        return true;
      default:
        this.#state = NUMBER;
        return byte === 0x2d || (byte >= 0x30 && byte <= 0x39);
    }
  }

  #literalFrom(byte: number): void {
    this.#state = LITERAL;
    this.#literal = LITERALS[byte] as string;
    this.#literalIndex = 1;
  }

  #enter(kind: number, state: number): boolean {
    if (this.#depth === this.#stack.length) return false;
    this.#stack[this.#depth] = kind;
    this.#depth += 1;
    this.#state = state;
    return true;
  }

  #leave(): boolean {
    this.#depth -= 1;
    this.#state = COMMA;
    return true;
  }

  /** Ends an item. Returns true if it was the whole value. */
  #endItem(): boolean {
    this.#state = COMMA;
    return this.#depth === 0;
  }

  /** Skips to the end of the string or of the bytes. A control character makes the state negative. */
  #skipString(bytes: Uint8Array, from: number): number {
    const { length } = bytes;
    let high = 0;
    for (let i = from; i < length; i += 1) {
      const byte = bytes[i] as number;
      high |= byte;
      if (byte === 0x22) {
        this.#state = this.#isKey ? COLON : COMMA;
        if (high > 0x7f) this.hasHighBytes = true;
        return i + 1;
      }
      if (byte === 0x5c) {
        this.#state = ESCAPE;
        if (high > 0x7f) this.hasHighBytes = true;
        return i + 1;
      }
      if (byte < 0x20) {
        this.#state = -1;
        return i;
      }
    }
    if (high > 0x7f) this.hasHighBytes = true;
    return length;
  }

  /** The byte at `position` is not allowed in this state. */
  #refuse(position: number, state: number, byte: number): ScanResult {
    this.reason = this.#reasonFor(state, byte);
    return this.#stop(position, "invalid");
  }

  #reasonFor(state: number, byte: number): string {
    if (state === COMMA) return this.#stack[this.#depth - 1] === OBJECT ? "expected , or }" : "expected , or ]";
    const wanted = WANTED[state] as string;
    if (state !== START && state !== FIRST_ITEM && state !== ITEM) return wanted;
    if (byte === BRACE || byte === BRACKET) return `nesting exceeds limit ${this.#stack.length} (option depthMax)`;
    if (state !== START) return wanted;
    if (byte === BOM_FIRST) return `${wanted}, not a byte order mark (0xEF)`;
    return byte === RECORD_SEPARATOR ? `${wanted}, not 0x1E, the record separator of RFC 7464` : wanted;
  }

  #stop(position: number, result: ScanResult): ScanResult {
    this.position = position;
    this.#state = START;
    this.#depth = 0;
    return result;
  }
}

/** White space between and inside values (RFC 8259, section 2). */
export function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isNumberByte(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || byte === 0x2d || byte === 0x2b || (byte | 0x20) === 0x65;
}

/** C0 but line feed and tab, DEL, C1, and what turns the direction of writing. */
const UNSAFE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Makes a peer's text safe to show: a terminal would obey its control characters. They become visible instead
 * (`␛[2J`, `\u202e`). Line feeds and tabs stay, and CR LF becomes LF.
 */
export function safeText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE, visible);
}

/** A peer's text within one line: line feeds become visible too. */
export function safeLine(text: string): string {
  return safeText(text).replaceAll("\n", "␊");
}

/** Decodes the bytes of one stream into safe text; characters and CR LF may be cut between chunks. */
export class SafeTextDecoder {
  // A byte order mark is shown for what it is: nothing.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** A CR whose next character is not known yet. */
  #held = "";

  decode(chunk: Uint8Array): string {
    const text = this.#held + this.#decoder.decode(chunk, { stream: true });
    this.#held = text.endsWith("\r") ? "\r" : "";
    return safeText(this.#held === "" ? text : text.slice(0, -1));
  }

  end(): string {
    const text = this.#held + this.#decoder.decode();
    this.#held = "";
    return safeText(text);
  }
}

function visible(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "␡";
  const hex = code.toString(16);
  return code <= 0xff ? `\\x${hex}` : `\\u${hex.padStart(4, "0")}`;
}

/**
 * All but what is shown as it is: letters, marks, digits, punctuation, symbols and spaces that can be seen, line feed
 * and tab, and the joiners and variation selectors that emoji and some scripts are written with. So neither controls
 * nor what turns the direction of writing, separates lines or is not seen; nor what Unicode has not assigned.
 */
const UNSAFE = /[^[[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]--\p{Default_Ignorable_Code_Point}]\n\t\u200c\u200d\ufe0e\ufe0f]/gv;

/**
 * Makes a peer's text safe to show: a terminal would obey its control characters. They become visible instead
 * (`␛[2J`, `\u202e`). Line feeds and tabs stay, and CR LF becomes LF. Safe text stays as it is.
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
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "␡";
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`;
}

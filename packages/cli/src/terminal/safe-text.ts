/**
 * Matches every character that is not allowed. Allowed are letters, marks, digits, punctuation, symbols and spaces
 * that are visible, line feed, tab, and the joiners and variation selectors of emoji and some scripts. This excludes
 * control characters, bidirectional controls, line separators, invisible characters and unassigned code points.
 */
const UNSAFE = /[^[[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]--\p{Default_Ignorable_Code_Point}]\n\t\u200c\u200d\ufe0e\ufe0f]/gv;

/**
 * Makes a peer's text safe for a terminal, which would execute its control characters. They become visible
 * (`␛[2J`, `\u202e`). Line feeds and tabs stay, and CR LF becomes LF. Idempotent.
 */
export function safeText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE, visible);
}

/** Safe text in one line: line feeds become visible too. */
export function safeLine(text: string): string {
  return safeText(text).replaceAll("\n", "␊");
}

/** Decodes the bytes of one stream into safe text. Characters and CR LF may be split between chunks. */
export class SafeTextDecoder {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** A CR at the end of the last chunk, buffered until the next character. */
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

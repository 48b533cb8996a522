import { nameKey } from "@landline/protocol";
import { type Refusal, refuse } from "./refusal.ts";
import { JOINS_NEXT, JOINS_PREVIOUS, TRANSPARENT, VIRAMAS } from "./unicode-tables.ts";

/** A valid name of a user or room. */
export interface Name {
  /** The displayed form, composed (NFC). */
  readonly text: string;
  /** The form that is compared and stored; see `nameKey` in the protocol package. */
  readonly key: string;
}

const USER_CHARS_MAX = 32;
const USER_BYTES_MAX = 64;
const ROOM_CHARS_MAX = 64;
const ROOM_BYTES_MAX = 128;
/** Longest text that is normalized, in UTF-16 units: a character has at most four parts of two units. */
const RAW_LENGTH_MAX = 8 * ROOM_CHARS_MAX;

/** Characters that are blank or mean "unknown", although their category is in `VISIBLE`. */
const BLANK = "\\u{2800}\\u{2d7f}\\u{fffc}\\u{fffd}\\u{1107f}\\u{13440}-\\u{13442}\\u{16fe4}\\u{1bc9d}\\u{1d159}";
/** Letters, marks, digits, punctuation and symbols: assigned, visible characters. */
const VISIBLE = `[[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]--\\p{Default_Ignorable_Code_Point}--[${BLANK}]]`;
const MARKS = `[\\p{Mn}\\p{Me}${TRANSPARENT}]*`;
/** Joiners that change how their neighbours are drawn: rules CONTEXTJ of IDNA (RFC 5892, appendices A.1 and A.2). */
const JOINER = `(?<=[${VIRAMAS}])[\\u200c\\u200d]|(?<=[${JOINS_NEXT}]${MARKS})\\u200c(?=${MARKS}[${JOINS_PREVIOUS}])`;
/** The characters of a name, after each emoji is replaced by a plain symbol. */
const WRITTEN = new RegExp(`^(?:${VISIBLE}|${JOINER})+$`, "v");
/** A leading mark would be drawn on the text before the name. */
const STARTS_WITH_MARK = /^\p{M}/u;
/** Complete emoji sequences. Their joiners, variation selectors and tags are valid only inside such a sequence. */
const EMOJI = /\p{RGI_Emoji}/gv;

/** Checks a user's name: 1 to 32 characters (code points), at most 64 bytes. */
export function userName(text: string): Name | Refusal {
  const name = normalize(text);
  const wrong =
    textProblem(name.text, USER_CHARS_MAX, USER_BYTES_MAX) ??
    (/[,!@:*?]/.test(name.text) ? "must not contain , ! @ : * or ?" : undefined) ??
    (/^[#&$%+~]/.test(name.text) ? "must not begin with # & $ % + or ~" : undefined);
  return wrong === undefined ? name : refuse("name-invalid", `The username ${wrong}`);
}

/** Checks a room's name: 1 to 64 characters (code points), at most 128 bytes. */
export function roomName(text: string): Name | Refusal {
  const name = normalize(text);
  const wrong =
    textProblem(name.text, ROOM_CHARS_MAX, ROOM_BYTES_MAX) ??
    (name.text.includes(",") ? "must not contain a comma" : undefined) ??
    (name.text.startsWith("#") ? "must not begin with #" : undefined);
  return wrong === undefined ? name : refuse("room-invalid", `The room name ${wrong}`);
}

function normalize(text: string): Name {
  // Composing a long run of accents takes quadratic time. A text this long is invalid in any form.
  const composed = text.length > RAW_LENGTH_MAX ? text : text.normalize("NFC");
  return { text: composed, key: nameKey(composed) };
}

function textProblem(text: string, charsMax: number, bytesMax: number): string | undefined {
  // Compare UTF-16 units first, so that a long text is not split only to count it.
  const isTooLong = text.length > 2 * charsMax || [...text].length > charsMax || utf8Length(text) > bytesMax;
  if (text.length === 0 || isTooLong) return `must have 1 to ${charsMax} characters and at most ${bytesMax} bytes`;
  if (STARTS_WITH_MARK.test(text)) return "must not begin with a combining mark";
  if (isWritten(text)) return undefined;
  return "must have only letters, digits, punctuation, symbols and emoji, without spaces";
}

/** Whether a text has only characters that names may have. Its length is not checked. */
export function isWritten(text: string): boolean {
  // Matching emoji is the expensive step. Emoji without one of these characters are already visible characters.
  const plain = /\u200d|\ufe0f|\u{e007f}/u.test(text) ? text.replace(EMOJI, "\u263a") : text;
  return WRITTEN.test(plain) && !STARTS_WITH_MARK.test(text);
}

/** Returns the UTF-8 length of a text, in bytes. A lone surrogate counts as U+FFFD, its replacement. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    const isPair = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) {
      // A surrogate pair takes four bytes.
      i += 1;
    }
  }
  return bytes;
}

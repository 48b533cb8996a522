import { nameKey } from "@landline/protocol";
import { type Refusal, refuse } from "./refusal.ts";

/** A name of a person or room that keeps the rules. */
export interface Name {
  /** As it is shown: in Unicode's composed form (NFC). */
  readonly text: string;
  /** As it is compared and stored; see `nameKey` of the protocol. */
  readonly key: string;
}

const PERSON_CHARS_MAX = 32;
const PERSON_BYTES_MAX = 64;
const ROOM_CHARS_MAX = 64;
const ROOM_BYTES_MAX = 128;
/** Longest name that is composed at all, in UTF-16 units: a character has at most four parts of two units. */
const RAW_LENGTH_MAX = 8 * ROOM_CHARS_MAX;

/**
 * Control characters, white space, half surrogates, and what changes the direction of text or takes no room: such names
 * could pass for others on a screen.
 */
const INVISIBLE = /[\p{Cc}\p{Cs}\p{White_Space}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/u;

/** Checks a person's name: 1 to 32 characters, at most 64 bytes. */
export function personName(text: string): Name | Refusal {
  const name = normalize(text);
  const wrong =
    lengthProblem(name.text, PERSON_CHARS_MAX, PERSON_BYTES_MAX) ??
    (/[,!@:*?]/.test(name.text) ? "must not contain , ! @ : * or ?" : undefined) ??
    (/^[#&$%+~]/.test(name.text) ? "must not begin with # & $ % + or ~" : undefined);
  return wrong === undefined ? name : refuse("name-invalid", `The username ${wrong}`);
}

/** Checks a room's name: 1 to 64 characters, at most 128 bytes. */
export function roomName(text: string): Name | Refusal {
  const name = normalize(text);
  const wrong =
    lengthProblem(name.text, ROOM_CHARS_MAX, ROOM_BYTES_MAX) ??
    (name.text.includes(",") ? "must not contain a comma" : undefined) ??
    (name.text.startsWith("#") ? "must not begin with #" : undefined);
  return wrong === undefined ? name : refuse("room-invalid", `The room name ${wrong}`);
}

function normalize(text: string): Name {
  // Composing a long run of accents takes quadratic time, and whatever is this long breaks the rules in any form.
  const composed = text.length > RAW_LENGTH_MAX ? text : text.normalize("NFC");
  return { text: composed, key: nameKey(composed) };
}

function lengthProblem(text: string, charsMax: number, bytesMax: number): string | undefined {
  // In UTF-16 units first: a long text is not taken apart only to be counted.
  const isTooLong = text.length > 2 * charsMax || [...text].length > charsMax || utf8Length(text) > bytesMax;
  if (text.length === 0 || isTooLong) return `must have 1 to ${charsMax} characters and at most ${bytesMax} bytes`;
  return INVISIBLE.test(text) ? "must not contain spaces, control or invisible characters" : undefined;
}

/** Bytes of a text in UTF-8; a half surrogate counts as the replacement character that stands for it. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    const isPair = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) {
      // Two units make four bytes.
      i += 1;
    }
  }
  return bytes;
}

/** Longest text that is folded, in UTF-16 units: any form of the longest name fits, and folding takes quadratic time. */
const LENGTH_MAX = 512;

const ASCII = /^[\0-\x7f]*$/;

/** ZERO WIDTH NON-JOINER, ZERO WIDTH JOINER, VARIATION SELECTOR-16: they change how a name is drawn, not what it says. */
const JOINERS = /\u200c|\u200d|\ufe0f/g;

/**
 * The form in which names of people and rooms are compared: in lower case, composed (NFC), without joiners. The server
 * and its clients use this function, so that they agree on which names are one.
 *
 * The key of a key is the key itself. A text that is too long to be a name is its own key.
 *
 * @example
 * nameKey("Cafe\u0301") === nameKey("CAF\u00c9"); // true
 */
export function nameKey(name: string): string {
  if (name.length > LENGTH_MAX) return name;
  if (ASCII.test(name)) return name.toLowerCase();
  // Composed again at the end: J with a caron has no composed form, but j with a caron has.
  return name.replace(JOINERS, "").normalize("NFC").toLowerCase().normalize("NFC");
}

/** Longest text that is folded, in UTF-16 units. Any form of the longest name fits. Folding takes quadratic time. */
const LENGTH_MAX = 512;

const ASCII = /^[\0-\x7f]*$/;

/**
 * ZERO WIDTH NON-JOINER, ZERO WIDTH JOINER, VARIATION SELECTOR-16. They change how a name is drawn, not what it says.
 */
const JOINERS = /\u200c|\u200d|\ufe0f/g;

/**
 * Returns the form in which names of people and rooms are compared: lower case, composed (NFC), without joiners. The
 * server and its clients share this function, so they agree which names are equal.
 *
 * The function is idempotent. It returns a text that is too long for a name unchanged.
 *
 * @example
 * nameKey("Cafe\u0301") === nameKey("CAF\u00c9"); // true
 */
export function nameKey(name: string): string {
  if (name.length > LENGTH_MAX) return name;
  if (ASCII.test(name)) return name.toLowerCase();
  // Compose again after lower-casing: J with a caron has no composed form, but j with a caron has one.
  return name.replace(JOINERS, "").normalize("NFC").toLowerCase().normalize("NFC");
}

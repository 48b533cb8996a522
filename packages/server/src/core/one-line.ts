/**
 * Whether a text stays on one line on any screen: no control characters (most line breaks are), no line or paragraph
 * separators (U+2028, U+2029), no lone surrogates.
 */
export function isOneLine(text: string): boolean {
  return /^[^\p{Cc}\p{Zl}\p{Zp}\p{Cs}]*$/u.test(text);
}

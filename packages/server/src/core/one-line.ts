/**
 * Whether a text is one line, on any screen: without control characters, which include most line breaks, without the line
 * and paragraph separators U+2028 and U+2029, and without half surrogates.
 */
export function isOneLine(text: string): boolean {
  return /^[^\p{Cc}\p{Zl}\p{Zp}\p{Cs}]*$/u.test(text);
}

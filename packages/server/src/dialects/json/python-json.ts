/**
 * Matches a quotation mark, an escaped character, or a word that Python's `json` writes for a number that JSON lacks. A
 * word before a colon does not match: Python quotes keys too. No match is long: V8 gives up on a long one.
 */
const MARK_OR_WORD = /"|\\.|(?:NaN|-?Infinity)(?!\s*:)/gs;

/** The longest integer, in digits, that Python parses by default (`sys.set_int_max_str_digits`). */
const NUMBER_LENGTH_MAX = 4_300;

interface JsonWithSources {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}
// Supported by Node, but missing in TypeScript's library.
const { parse, rawJSON } = JSON as unknown as JsonWithSources;

/**
 * Converts the output of Python's `json` to JSON: `NaN`, `Infinity` and `-Infinity` become strings, as in the JSON of
 * Protocol Buffers. `float("NaN")` and `Number("NaN")` convert them back. Other text stays the same.
 */
export function toStrictJson(text: string): string {
  let isQuoted = false;
  return text.replace(MARK_OR_WORD, (found) => {
    if (found === '"') isQuoted = !isQuoted;
    const isWord = !isQuoted && found !== '"' && !found.startsWith("\\");
    return isWord ? `"${found}"` : found;
  });
}

/**
 * Parses JSON and keeps its numbers as written, so that `JSON.stringify` writes `1.0` and `12345678901234567890`
 * again.
 */
export function parseExactly(json: string): unknown {
  return parse(json, (_, value, { source }) => {
    if (typeof value !== "number") return value;
    return source.length > NUMBER_LENGTH_MAX ? source : rawJSON(source);
  });
}

/** Formats a JSON number as Python prints it: `1e5` becomes `100000.0`. */
export function pythonNumber(source: string): string {
  if (source.length > NUMBER_LENGTH_MAX) return source;
  if (/^-?\d+$/.test(source)) return String(BigInt(source));
  const number = Number(source);
  if (!Number.isFinite(number)) return number > 0 ? "inf" : "-inf";
  const [, sign = "", digits = ""] = /e([+-])(\d+)$/.exec(number.toExponential()) ?? [];
  const exponent = Number(`${sign}${digits}`);
  if (exponent < -4 || exponent >= 16) return number.toExponential().replace(/\d+$/, digits.padStart(2, "0"));
  return Number.isInteger(number) ? `${number}.0` : String(number);
}

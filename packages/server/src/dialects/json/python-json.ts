/**
 * A text in quotes, whole or not, or a word that Python's `json` writes for a number that JSON cannot say. A word in front of
 * a colon is none: also in Python, names are in quotes.
 */
const TEXT_OR_WORD = /"(?:[^"\\]|\\.)*"?|(?:NaN|-?Infinity)(?!\s*:)/gs;

/** Python reads no longer whole number. */
const NUMBER_LENGTH_MAX = 4_300;

interface JsonWithSources {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}
// In Node, but not in TypeScript's library yet.
const { parse, rawJSON } = JSON as unknown as JsonWithSources;

/**
 * Turns what Python's `json` writes into JSON: `NaN`, `Infinity` and `-Infinity` become texts, as in the JSON of Protocol
 * Buffers. Both `float("NaN")` and `Number("NaN")` make numbers of them again. Other text stays as it is.
 */
export function toStrictJson(text: string): string {
  return text.replace(TEXT_OR_WORD, (found) => (found.startsWith('"') ? found : `"${found}"`));
}

/** Parses JSON with its numbers as they are written: `JSON.stringify` writes `1.0` and `12345678901234567890` again. */
export function parseExactly(json: string): unknown {
  return parse(json, (_, value, { source }) => {
    if (typeof value !== "number") return value;
    return source.length > NUMBER_LENGTH_MAX ? source : rawJSON(source);
  });
}

/** A number of JSON as Python prints it: `1e5` is `100000.0`. */
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

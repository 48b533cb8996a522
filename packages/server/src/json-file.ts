/** A JSON syntax error with its line and column. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
}

/** Like `JSON.parse`, but the error names line and column. @throws {JsonSyntaxError} when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const offset = wrongFrom(text);
    const before = text.slice(0, offset).split("\n");
    const found = offset < text.length ? JSON.stringify(text[offset]) : "its end";
    const place = `line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1}`;
    throw new JsonSyntaxError(`not JSON at ${place}, before ${found}`);
  }
}

/**
 * Returns the length of the longest prefix that could be the start of JSON. V8's errors do not always have a
 * position.
 */
function wrongFrom(text: string): number {
  let good = 0;
  let bad = text.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (couldGoOn(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function couldGoOn(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    return /end of JSON|Unterminated/.test(message) || message.includes(`at position ${text.length} `);
  }
}

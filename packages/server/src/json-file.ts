/** A text that is no JSON, with the place where it stops being it. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
}

/** `JSON.parse` with an error that names line and column. @throws {JsonSyntaxError} */
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

/** How much of the text could be the beginning of JSON. V8 tells the place of some mistakes only. */
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

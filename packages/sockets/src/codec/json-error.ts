import { SocketError, type SocketErrorCode } from "../errors.ts";

/** `"` and escapes, numbers, and the words of Python's that the scanner passes. */
const TOKENS = /"|\\u[\da-fA-F]{4}|\\.|[-\d][\w.+-]*|NaN|Infinity/gs;
const ESCAPE = /^\\(?:["\\/bfnrt]|u.+)$/s;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** What is wrong with a stream of JSON, and at which byte of it, counted from 0. */
export function jsonError(reason: string, offset: number, cause?: unknown): SocketError {
  return jsonErrorOf("malformed", `at byte ${offset}, ${reason}`, {
    offset,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A value that begins at this byte is longer than it may be. */
export function jsonTooLong(offset: number, bytesMax: number): SocketError {
  const text = `the value at byte ${offset} exceeds limit ${bytesMax} bytes (option bytesMax)`;
  return jsonErrorOf("frame-too-long", text, { offset });
}

/** The stream ended inside a value that begins at this byte; `partial` is all of it that came. */
export function jsonTruncated(offset: number, partial: Uint8Array): SocketError {
  const text = `the stream ended at byte ${offset + partial.length}, inside the value at byte ${offset}`;
  return jsonErrorOf("frame-truncated", text, { offset, partial });
}

/**
 * Makes an error that is handed out as a frame. A peer can ask for one with every second byte, and its stack, which is
 * that of this loop, would cost six times what the rest does.
 */
export function asFrame(make: () => SocketError): SocketError {
  const { stackTraceLimit } = Error;
  // With `--frozen-intrinsics` it stays as it is.
  Reflect.set(Error, "stackTraceLimit", 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
  }
}

/**
 * What `parse` makes of the text of a value that begins at this byte.
 *
 * @throws {SocketError} what it threw, if that is one; else `malformed` with what it threw as the cause.
 */
export function parseJson<T>(parse: (text: string) => T, text: string, offset: number): T {
  try {
    return parse(text);
  } catch (thrown) {
    if (thrown instanceof SocketError) throw thrown;
    const fault = thrown instanceof SyntaxError ? faultOf(text) : undefined;
    if (fault === undefined) throw jsonError("the value was refused (see cause)", offset, thrown);
    throw jsonError(fault.reason, offset + Buffer.byteLength(text.slice(0, fault.index)), thrown);
  }
}

/** The first of what the scanner leaves to the parser and is wrong: escapes and numbers. */
function faultOf(text: string): { readonly reason: string; readonly index: number } | undefined {
  let isInString = false;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token === '"') isInString = !isInString;
    else if (token.startsWith("\\")) {
      if (!ESCAPE.test(token)) return { reason: "a string has an escape that JSON does not have", index };
    } else if (!isInString && !NUMBER.test(token)) {
      return { reason: "a number is not written as JSON writes it", index };
    }
  }
  return undefined;
}

function jsonErrorOf(code: SocketErrorCode, text: string, fields: object): SocketError {
  return new SocketError(code, `Cannot read JSON: ${text}`, { operation: "decode", ...fields });
}

import { SocketError, type SocketErrorCode } from "../errors.ts";

/** Quotes, escapes, numbers, and Python's `NaN` and `Infinity`, which the scanner accepts. */
const TOKENS = /"|\\u[\da-fA-F]{4}|\\.|[-\d][\w.+-]*|NaN|Infinity/gs;
const ESCAPE = /^\\(?:["\\/bfnrt]|u.+)$/s;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Returns the error for invalid JSON at a byte of the stream, counted from 0. */
export function jsonError(reason: string, offset: number, cause?: unknown): SocketError {
  return jsonErrorOf("malformed", `at byte ${offset}, ${reason}`, {
    offset,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Returns the error for a value above the limit that begins at this byte. */
export function jsonTooLong(offset: number, bytesMax: number): SocketError {
  const text = `the value at byte ${offset} exceeds limit ${bytesMax} bytes (option bytesMax)`;
  return jsonErrorOf("frame-too-long", text, { offset });
}

/**
 * Returns the error for a stream that ended inside the value at this byte. `partial` is the received part of the value.
 */
export function jsonTruncated(offset: number, partial: Uint8Array): SocketError {
  const text = `the stream ended at byte ${offset + partial.length}, inside the value at byte ${offset}`;
  return jsonErrorOf("frame-truncated", text, { offset, partial });
}

/**
 * Creates an error that is returned as a frame, without a stack. A peer can cause one with every second byte, and
 * capturing the stack would cost six times as much as everything else.
 */
export function asFrame(make: () => SocketError): SocketError {
  const { stackTraceLimit } = Error;
  // `--frozen-intrinsics` makes it read-only, and `Reflect.set` does not throw then.
  Reflect.set(Error, "stackTraceLimit", 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
  }
}

/**
 * Calls `parse` with the text of a value that begins at this byte.
 *
 * @throws {SocketError} the error of `parse`, if it is a `SocketError`, else `malformed` with that error as the cause.
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

/** Finds the first invalid escape or number. The scanner does not check those. */
function faultOf(text: string): { readonly reason: string; readonly index: number } | undefined {
  let isInString = false;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token === '"') isInString = !isInString;
    else if (token.startsWith("\\")) {
      if (!ESCAPE.test(token)) return { reason: "a string has an invalid escape", index };
    } else if (!isInString && !NUMBER.test(token)) {
      return { reason: "a number is not valid JSON", index };
    }
  }
  return undefined;
}

function jsonErrorOf(code: SocketErrorCode, text: string, fields: object): SocketError {
  return new SocketError(code, `Cannot read JSON: ${text}`, { operation: "decode", ...fields });
}

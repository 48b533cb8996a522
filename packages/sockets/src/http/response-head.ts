import { asBuffer } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";

/** The status line and headers of a response. */
export interface ResponseHead {
  readonly version: "1.0" | "1.1";
  readonly status: number;
  /** The reason phrase; often empty. */
  readonly reason: string;
  readonly headers: Headers;
}

/** A line without its ending. `offset` is the position of its first byte in the stream. */
export interface Line {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** A header or trailer field and its position. */
export interface Field {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly offset: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/s;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** All control characters except the tab. */
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Parses the status line: RFC 9112, section 4. The reason phrase and the space before it may be missing. */
export function parseStatusLine({ bytes, offset }: Line): Omit<ResponseHead, "headers"> {
  const match = STATUS_LINE.exec(latin1(bytes));
  if (match === null) throw malformed("it does not begin with HTTP/1.0 or HTTP/1.1 and a status", offset);
  const [, minor, status, reason = ""] = match;
  if (CONTROL.test(reason)) throw malformed("a control character in the reason phrase", offset);
  return { version: minor === "0" ? "1.0" : "1.1", status: Number(status), reason };
}

/** Parses a field line: RFC 9112, section 5. */
export function parseField(line: Line): Field {
  const { bytes, offset } = line;
  if (isFolded(line)) throw malformed("white space before the first field", offset);
  const text = latin1(bytes);
  const colon = text.indexOf(":");
  if (colon === -1) throw malformed("a field without a colon", offset);
  const name = text.slice(0, colon);
  if (/[ \t]$/.test(name)) throw malformed("white space before the colon of a field", offset + colon - 1);
  if (!FIELD_NAME.test(name)) throw malformed("a field without a valid name", offset);
  return { name: name.toLowerCase(), value: fieldValue(text, colon + 1, offset), offset };
}

/** Whether the line continues the previous field. */
export function isFolded({ bytes: [first] }: Line): boolean {
  return first === 0x20 || first === 0x09;
}

/** Appends a folded line to a field, after one space, as RFC 9112, section 5.2 requires of a user agent. */
export function unfold(field: Field, { bytes, offset }: Line): Field {
  const more = fieldValue(latin1(bytes), 0, offset);
  if (more === "") return field;
  return { ...field, value: field.value === "" ? more : `${field.value} ${more}` };
}

function fieldValue(line: string, start: number, offset: number): string {
  const nul = line.indexOf("\0", start);
  if (nul !== -1) throw malformed("a NUL in a field", offset + nul);
  return trimBlanks(line.slice(start));
}

/**
 * @throws {SocketError} `malformed` for two different `Location` fields. `Headers` would join them into a third URL.
 */
export function toHeaders(fields: readonly Field[]): Headers {
  const headers = new Headers();
  for (const { name, value, offset } of fields) {
    if (name === "location" && headers.has(name)) {
      if (headers.get(name) !== value) throw malformed("two different Locations", offset);
    } else {
      headers.append(name, value);
    }
  }
  return headers;
}

/** Returns an error about the syntax of the response; `offset` in bytes from the start of the stream. */
export function malformed(what: string, offset: number): SocketError {
  return new SocketError("malformed", `Cannot read HTTP response: ${what} (at byte ${offset})`, {
    operation: "decode",
    offset,
  });
}

function latin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("latin1");
}

/**
 * Removes optional white space (SP, HTAB) around a value. `String.trim` removes more, and a regular expression for the
 * end takes quadratic time.
 */
export function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value[start])) start += 1;
  while (end > start && isBlank(value[end - 1])) end -= 1;
  return value.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

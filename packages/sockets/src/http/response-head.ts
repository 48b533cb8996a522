import { asBuffer } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";

/** The status line and the fields of an answer. */
export interface ResponseHead {
  readonly version: "1.0" | "1.1";
  readonly status: number;
  /** The reason phrase; often empty. */
  readonly reason: string;
  readonly headers: Headers;
}

/** A line without its ending. `offset` is that of its first byte, from the start of the stream. */
export interface Line {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** A header or trailer field, with where it stands. */
export interface Field {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly offset: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/s;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** All control characters but the tab. */
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Reads the status line: RFC 9112, section 4. A reason phrase may be missing, even the space before it. */
export function parseStatusLine({ bytes, offset }: Line): Omit<ResponseHead, "headers"> {
  const match = STATUS_LINE.exec(latin1(bytes));
  if (match === null) throw malformed("it does not begin with HTTP/1.0 or HTTP/1.1 and a status", offset);
  const [, minor, status, reason = ""] = match;
  if (CONTROL.test(reason)) throw malformed("a control character in the reason phrase", offset);
  return { version: minor === "0" ? "1.0" : "1.1", status: Number(status), reason };
}

/** Reads a field line: RFC 9112, section 5. */
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

/** Whether a line goes on with the field before it. */
export function isFolded({ bytes: [first] }: Line): boolean {
  return first === 0x20 || first === 0x09;
}

/** The field with one more line of its value, after a space: RFC 9112, section 5.2, of a user agent. */
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

/** @throws {SocketError} `malformed` for two different places to go to: together they would be a third one. */
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

/** @returns an error about the message's form; `offset` in bytes from the start of the stream. */
export function malformed(what: string, offset: number): SocketError {
  return new SocketError("malformed", `Cannot read HTTP response: ${what} (at byte ${offset})`, {
    operation: "decode",
    offset,
  });
}

function latin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("latin1");
}

/** Without optional white space around it. `String.trim` would take more, and a pattern for the end is quadratic. */
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

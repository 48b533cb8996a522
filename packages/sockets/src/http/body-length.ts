import { type Field, malformed, type ResponseHead, trimBlanks } from "./response-head.ts";

/** How the end of a body is determined. */
export type BodyLength =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until-close" };

/**
 * Decides how the body of a response ends: RFC 9112, section 6.3. Content-Length with Transfer-Encoding, and differing
 * lengths, are refused: two readers could see two different messages (request smuggling). Every transfer coding except
 * `chunked` is refused too, because the request allows no other (section 7.4).
 *
 * @throws {SocketError} `malformed` when the fields contradict each other or are invalid.
 */
export function bodyLength(head: Omit<ResponseHead, "headers">, fields: readonly Field[], method: string): BodyLength {
  const length = contentLength(fields.filter(({ name }) => name === "content-length"));
  const codings = fields.filter(({ name }) => name === "transfer-encoding");
  const [coding] = codings;
  if (coding !== undefined && length !== undefined) {
    throw malformed("both Content-Length and Transfer-Encoding", coding.offset);
  }
  const hasChunks = isChunked(codings);
  if (method === "HEAD" || head.status === 204 || head.status === 304) return { kind: "none" };
  if (hasChunks) return { kind: "chunked" };
  // Without coding and length the body ends with the connection.
  if (length === undefined) return { kind: "until-close" };
  return { kind: "length", bytes: length };
}

/** The length. It may be repeated, in several fields or in one list, with the same value. */
function contentLength(fields: readonly Field[]): number | undefined {
  let length: number | undefined;
  for (const { value, offset } of fields) {
    for (const part of value.split(",")) {
      const digits = trimBlanks(part);
      const bytes = Number(digits);
      if (!/^\d+$/.test(digits) || !Number.isSafeInteger(bytes)) throw malformed("a bad Content-Length", offset);
      if (length !== undefined && length !== bytes) throw malformed("two different Content-Lengths", offset);
      length = bytes;
    }
  }
  return length;
}

function isChunked(fields: readonly Field[]): boolean {
  const [first] = fields;
  if (first === undefined) return false;
  const names = fields.flatMap(({ value }) => value.split(",")).map((name) => trimBlanks(name).toLowerCase());
  const [coding, ...more] = names.filter((name) => name !== "");
  if (coding === "chunked" && more.length === 0) return true;
  throw malformed("a Transfer-Encoding other than chunked", first.offset);
}

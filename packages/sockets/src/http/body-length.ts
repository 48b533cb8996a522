import { type Field, malformed, type ResponseHead, trimBlanks } from "./response-head.ts";

/** How the end of a body is found. */
export type BodyLength =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until-close" };

/**
 * Decides how an answer's body ends: RFC 9112, section 6.3. A length together with a transfer coding, and lengths that
 * differ, are refused: whoever sends that wants two readers to see two messages.
 *
 * @throws {SocketError} `malformed`.
 */
export function bodyLength(head: Omit<ResponseHead, "headers">, fields: readonly Field[], method: string): BodyLength {
  const length = contentLength(fields.filter(({ name }) => name === "content-length"));
  const codings = fields.filter(({ name }) => name === "transfer-encoding");
  const [coding] = codings;
  if (coding !== undefined && length !== undefined) {
    throw malformed("both Content-Length and Transfer-Encoding", coding.offset);
  }
  const isChunked = coding !== undefined && endsChunked(codings, coding.offset);
  if (method === "HEAD" || head.status === 204 || head.status === 304) return { kind: "none" };
  if (isChunked) return { kind: "chunked" };
  // A final coding other than chunked, and neither coding nor length: the connection's end is the body's.
  if (length === undefined) return { kind: "until-close" };
  return { kind: "length", bytes: length };
}

/** The length, which may be repeated, also within a field, as long as it stays the same. */
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

function endsChunked(fields: readonly Field[], offset: number): boolean {
  const codings = fields.flatMap(({ value }) => value.split(",")).map((coding) => trimBlanks(coding).toLowerCase());
  const named = codings.filter((coding) => coding !== "");
  const at = named.findIndex((coding) => /^chunked\s*(;|$)/.test(coding));
  if (named.length === 0) throw malformed("a Transfer-Encoding that names no coding", offset);
  if (at === -1) return false;
  if (named[at] !== "chunked") throw malformed("a parameter of the chunked coding", offset);
  // Chunked and then something else: the chunks are inside, and only the connection's end shows theirs.
  if (at === named.length - 1) return true;
  if (named.indexOf("chunked", at + 1) !== -1) throw malformed("the chunked coding twice", offset);
  return false;
}

/** What the first bytes of a connection say about its client. */
export type Speech = "json" | "json-prefixed" | "http";

/** As many first bytes are looked at; a client that has not shown what it is by then speaks JSON. */
export const SNIFF_BYTES_MAX = 1_024;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TARGET = /^(?:\/|\*|[A-Za-z][A-Za-z0-9+.-]*:\/\/)/;

/**
 * Tells clients apart by the first bytes; `undefined`: not yet.
 *
 * HTTP is any method and path, known or not, so that no page of a stranger's reaches the chat by an odd method (RFC
 * 9112, section 3): a token, one space, and the beginning of a target.
 */
export function sniff(bytes: Uint8Array): Speech | undefined {
  const [first] = bytes;
  if (first === undefined) return undefined;
  if (first === 0) return "json-prefixed";
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SNIFF_BYTES_MAX)).toString("latin1");
  // RFC 9112, section 2.2: an empty line in front of a request is to be ignored; `node:http` is lenient about its form.
  const start = head.replace(/^[\r\n]+/, "");
  const space = start.indexOf(" ");
  const method = space === -1 ? start : start.slice(0, space);
  if (start !== "" && !TOKEN.test(method)) return "json";
  if (space === -1) return bytes.length < SNIFF_BYTES_MAX ? undefined : "json";
  const target = start.slice(space + 1);
  if (TARGET.test(target) || (method === "CONNECT" && target !== "")) return "http";
  // `h`, `ht`, … may become `http://`.
  return /^(?:|[A-Za-z][A-Za-z0-9+.-]*:?\/?)$/.test(target) && bytes.length < SNIFF_BYTES_MAX ? undefined : "json";
}

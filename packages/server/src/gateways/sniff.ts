/** The protocol that a connection's first bytes show. */
export type Speech = "json" | "json-prefixed" | "http";

/** Most bytes examined for HTTP. */
export const SNIFF_BYTES_MAX = 1_024;

/**
 * The start of an HTTP request: a token, one space, a target (RFC 9112, section 3). Empty lines before it are ignored
 * (section 2.2); `node:http` is lenient about their form.
 */
const REQUEST = /^[\r\n]*(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: (.*))?)?$/s;
const TARGETS = ["/", "*", "http://", "https://"];

/**
 * Detects the protocol by the first bytes. Returns `undefined` if it needs more. Everything except HTTP is chat; the
 * chat's codecs reject invalid openings (`opening.ts`).
 */
export function sniff(bytes: Uint8Array): Speech | undefined {
  const [first] = bytes;
  if (first === undefined) return undefined;
  if (first === 0) return "json-prefixed";
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SNIFF_BYTES_MAX)).toString("latin1");
  const request = REQUEST.exec(head);
  if (request === null) return "json";
  const target = (request[1] ?? "").toLowerCase();
  if (TARGETS.some((each) => target.startsWith(each))) return "http";
  const mayBecomeHttp = TARGETS.some((each) => each.startsWith(target));
  return mayBecomeHttp && bytes.length < SNIFF_BYTES_MAX ? undefined : "json";
}

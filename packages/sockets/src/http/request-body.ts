import { BodyStream, type StreamSource } from "./body-stream.ts";

/**
 * What can be sent as a body. Bytes and text (as UTF-8) have a length and can be sent again after a redirect. A stream
 * is sent in chunks as it gives them; it is read once, and a chunk must not be changed once it is given. From then on it
 * belongs to the request: where it is not read to its end it is cancelled, a Node stream destroyed, also when the request
 * fails before it connects.
 */
export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** The two ways to give a body. */
export interface RequestBodyOptions {
  /** Sent as it is; say what it is with a `content-type` header. */
  readonly body?: RequestBody | undefined;
  /** Sent as JSON, with `content-type: application/json` unless the headers have another. Instead of `body`. */
  readonly json?: unknown;
}

/** A body that was checked. */
export type OutgoingBody =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "stream"; readonly stream: BodyStream };

export const NO_BODY: OutgoingBody = { kind: "none" };

/** @throws {TypeError} for what cannot be sent, a stream that somebody else reads, and `body` and `json` together. */
export function outgoingBody({ body, json }: RequestBodyOptions): OutgoingBody {
  const outgoing = bodyOf(body);
  if (json === undefined) return outgoing;
  if (outgoing.kind === "none") return { kind: "bytes", bytes: encodeJson(json) };
  cancelBody(outgoing);
  throw new TypeError("body and json cannot both be given");
}

/** Gives up a body that was not sent, or not wholly. */
export function cancelBody(body: OutgoingBody): void {
  if (body.kind === "stream") body.stream.cancel();
}

function bodyOf(body: unknown): OutgoingBody {
  if (body === undefined) return NO_BODY;
  if (typeof body === "string") return { kind: "bytes", bytes: Buffer.from(body) };
  if (body instanceof Uint8Array) return { kind: "bytes", bytes: body };
  if (body instanceof ReadableStream && body.locked) {
    throw new TypeError("body must not be a stream that is being read");
  }
  if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) {
    return { kind: "stream", stream: new BodyStream(body as StreamSource) };
  }
  throw new TypeError("body must be a string, a Uint8Array, an AsyncIterable or a ReadableStream");
}

/** What says in the head how the body ends: RFC 9112, section 6. */
export function framingFields(method: string, body: OutgoingBody): readonly string[] {
  switch (body.kind) {
    case "stream":
      return ["transfer-encoding: chunked"];
    case "bytes":
      return [`content-length: ${body.bytes.length}`];
    case "none":
      // A server expects a body with these: RFC 9110, section 8.6.
      return ["POST", "PUT", "PATCH"].includes(method) ? ["content-length: 0"] : [];
  }
}

function encodeJson(value: unknown): Uint8Array {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError("json must be a value that JSON has");
  return Buffer.from(text);
}

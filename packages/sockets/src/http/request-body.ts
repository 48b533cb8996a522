import { BodyStream, type StreamSource } from "./body-stream.ts";

/**
 * The body of a request. Bytes and text (sent as UTF-8) have a length and can be sent again after a redirect. A stream
 * is sent in chunks and read once. Do not change a chunk after the stream has yielded it. The request owns the stream:
 * if it is not read to its end it is cancelled (a Node stream is destroyed), even when the request fails before it
 * connects.
 */
export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** The two ways to set a body. */
export interface RequestBodyOptions {
  /** The body, sent as it is. Describe it with a `content-type` header. */
  readonly body?: RequestBody | undefined;
  /** A value to send as JSON instead of `body`. Sets `content-type: application/json` unless `headers` has one. */
  readonly json?: unknown;
}

/** A validated body. */
export type OutgoingBody =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "stream"; readonly stream: BodyStream };

export const NO_BODY: OutgoingBody = { kind: "none" };

/** @throws {TypeError} for an unsupported type, a locked stream, and `body` together with `json`. */
export function outgoingBody({ body, json }: RequestBodyOptions): OutgoingBody {
  const outgoing = bodyOf(body);
  if (json === undefined) return outgoing;
  if (outgoing.kind === "none") return { kind: "bytes", bytes: encodeJson(json) };
  cancelBody(outgoing);
  throw new TypeError("body and json cannot both be given");
}

/** Cancels a body that was not sent completely. */
export function cancelBody(body: OutgoingBody): void {
  if (body.kind === "stream") body.stream.cancel();
}

function bodyOf(body: unknown): OutgoingBody {
  if (body === undefined) return NO_BODY;
  if (typeof body === "string") return { kind: "bytes", bytes: Buffer.from(body) };
  if (body instanceof Uint8Array) return { kind: "bytes", bytes: body };
  if (body instanceof ReadableStream && body.locked) {
    throw new TypeError("body must not be a locked stream");
  }
  if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) {
    return { kind: "stream", stream: new BodyStream(body as StreamSource) };
  }
  throw new TypeError("body must be a string, a Uint8Array, an AsyncIterable or a ReadableStream");
}

/** The header fields that frame the body: RFC 9112, section 6. */
export function framingFields(method: string, body: OutgoingBody): readonly string[] {
  switch (body.kind) {
    case "stream":
      return ["transfer-encoding: chunked"];
    case "bytes":
      return [`content-length: ${body.bytes.length}`];
    case "none":
      // Servers expect a body with these methods: RFC 9110, section 8.6.
      return ["POST", "PUT", "PATCH"].includes(method) ? ["content-length: 0"] : [];
  }
}

function encodeJson(value: unknown): Uint8Array {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError("json must be a value that JSON can represent");
  return Buffer.from(text);
}

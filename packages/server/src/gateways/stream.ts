import { type Codec, type Connection, type ConnectionHandlers, type Decoder, SocketError } from "@landline/sockets";
import type { Command, Goodbye, Refusal } from "../core/mod.ts";
import type { Client, Hub, Link, WireFormats } from "../hub/mod.ts";
import { sniff } from "./sniff.ts";

/** A dialect over a byte stream: how requests are found in the bytes and read, and how answers are written. */
export interface StreamDialect {
  /** Frames may be errors: what was not of the codec, passed over. */
  readonly codec: Codec<unknown, unknown>;
  readonly formats: WireFormats;
  /** What one frame asks. */
  read(frame: unknown): Command | Refusal;
}

const NO_BYTES = new Uint8Array(0);

/** Looks like the first line of an HTTP request, or its end. */
const HTTP_LINE = /\sHTTP\/\d/;

/** Chat clients over TCP. */
export class StreamGateway {
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** Serves a connection whose first bytes have shown what it speaks. */
  accept(connection: Connection, dialect: StreamDialect, firstBytes: Uint8Array): void {
    const visitor = new StreamVisitor(this.#hub, connection, dialect);
    visitor.data(connection, firstBytes);
    visitor.attach(connection);
  }

  /** Serves a connection that is silent: it is welcomed, but its first bytes are still watched. */
  acceptSilent(connection: Connection, dialect: StreamDialect): void {
    const visitor = new StreamVisitor(this.#hub, connection, dialect);
    visitor.watch();
    visitor.attach(connection);
  }
}

/** One chat client over TCP. */
class StreamVisitor implements ConnectionHandlers {
  readonly #hub: Hub;
  readonly #client: Client;
  readonly #dialect: StreamDialect;
  readonly #decoder: Decoder<unknown>;
  /** The first bytes, while it is not clear that they are no HTTP. */
  #watched: Uint8Array | undefined;

  constructor(hub: Hub, connection: Connection, dialect: StreamDialect) {
    this.#hub = hub;
    this.#dialect = dialect;
    this.#decoder = dialect.codec.decoder();
    this.#client = hub.connect(new StreamLink(connection), dialect.formats);
    this.#client.answer({ type: "welcome" });
  }

  attach(connection: Connection): void {
    if (!this.#client.isGone) connection.handle(this);
  }

  /** Looks at the first bytes, however late they come: a browser may use a connection that it opened early. */
  watch(): void {
    this.#watched = NO_BYTES;
  }

  data(_: Connection, chunk: Uint8Array): void {
    this.#hub.heard(this.#client);
    if (this.#watched !== undefined && this.#isHttp(this.#watched, chunk)) {
      this.#dismiss("protocol-error", "This is a chat connection, not HTTP");
      return;
    }
    try {
      const frames = this.#decoder.decode(chunk);
      // A page can make its visitor's browser send anything, but not leave out the first line of the request.
      if (
        frames.some((frame) => frame instanceof SocketError) &&
        HTTP_LINE.test(Buffer.from(chunk).toString("latin1"))
      ) {
        this.#dismiss("protocol-error", "This is a chat connection, not HTTP");
        return;
      }
      for (const frame of frames) this.#client.receive(this.#dialect.read(frame));
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      const isTooLong = error.code === "frame-too-long";
      const limit = this.#hub.limits.frameBytesMax;
      if (isTooLong) this.#dismiss("frame-too-long", `A request has at most ${limit} bytes`);
      else this.#dismiss("protocol-error", "The frames cannot be told apart");
    }
  }

  end(): void {
    this.#client.finish();
  }

  close(): void {
    this.#client.gone();
  }

  #isHttp(before: Uint8Array, chunk: Uint8Array): boolean {
    const bytes = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
    const speech = sniff(bytes);
    this.#watched = speech === undefined ? bytes : undefined;
    return speech === "http";
  }

  #dismiss(code: Goodbye["code"], message: string): void {
    this.#hub.dismiss(this.#client, { code, message, reconnect: false });
  }
}

class StreamLink implements Link {
  readonly ping: undefined = undefined;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  send(bytes: Uint8Array): void {
    this.#connection.send(bytes);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): void {
    void this.#connection.close();
  }
}

import { type Codec, type Connection, type ConnectionHandlers, type Decoder, SocketError } from "@landline/sockets";
import type { Connection as ChatConnection, Hub, Incoming, Link, Wire } from "../hub/mod.ts";
import { LONG_CHUNK_BYTES, LONG_CHUNKS_PER_TURN, Turns } from "./turns.ts";

/** A dialect over a byte stream: it finds and reads requests, and writes answers. */
export interface StreamDialect extends Wire {
  /** Yields frames. A frame may be an error, for invalid bytes that were skipped. */
  readonly codec: Codec<unknown, unknown>;
  /** Creates the reader of one connection. It takes the frames in order and passes on what it reads. */
  reader(receive: (request: Incoming) => void): (frame: unknown) => void;
}

const NO_BYTES = new Uint8Array(0);

/** Requests decoded at once. When the client is paused in between, the rest stays in the decoder. */
const FRAMES_PER_STEP = 64;

/** The gateway of chat clients over TCP. */
export class StreamGateway {
  readonly #hub: Hub;
  readonly #turns = new Turns(LONG_CHUNKS_PER_TURN);

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** Serves a connection whose protocol was detected. */
  accept(connection: Connection, dialect: StreamDialect, firstBytes: Uint8Array): void {
    const client = new StreamClient(this.#hub, this.#turns, connection, dialect);
    client.data(connection, firstBytes);
    client.attach(connection);
  }

  /** Serves a connection that has sent nothing: it gets the welcome. */
  acceptSilent(connection: Connection, dialect: StreamDialect): void {
    new StreamClient(this.#hub, this.#turns, connection, dialect).attach(connection);
  }
}

/** One chat client over TCP. */
class StreamClient implements ConnectionHandlers {
  readonly #hub: Hub;
  readonly #turns: Turns;
  readonly #client: ChatConnection;
  readonly #read: (frame: unknown) => void;
  readonly #decoder: Decoder<unknown>;
  /** The client must not be read: it asks faster than it is answered. */
  #isPaused = false;
  /** The connection waits for its turn after a long chunk. */
  #isResting = false;

  constructor(hub: Hub, turns: Turns, connection: Connection, dialect: StreamDialect) {
    this.#hub = hub;
    this.#turns = turns;
    this.#decoder = dialect.codec.decoder();
    this.#client = hub.connect(new StreamLink(connection, this), dialect);
    this.#read = dialect.reader((request) => this.#client.receive(request));
    this.#client.answer({ type: "welcome" });
  }

  attach(connection: Connection): void {
    if (!this.#client.isGone) connection.handle(this);
  }

  data(connection: Connection, chunk: Uint8Array): void {
    this.#hub.heard(this.#client);
    this.#take(chunk);
    if (chunk.length >= LONG_CHUNK_BYTES && !this.#isResting) this.#rest(connection);
  }

  /** The connection has room again. */
  drain(): void {
    this.#client.drained();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Decodes what was left at the pause. Returns whether the connection can be read again. */
  resume(): boolean {
    this.#isPaused = false;
    this.#take(NO_BYTES);
    return !this.#isPaused && !this.#isResting;
  }

  #rest(connection: Connection): void {
    this.#isResting = true;
    connection.pause();
    this.#turns.take(() => {
      this.#isResting = false;
      if (!this.#isPaused) connection.resume();
    });
  }

  #take(chunk: Uint8Array): void {
    try {
      for (let bytes = chunk; ; bytes = NO_BYTES) {
        const frames = this.#decoder.decode(bytes, FRAMES_PER_STEP);
        if (frames.length === 0) break;
        for (const frame of frames) this.#read(frame);
        if (this.#isPaused || this.#client.isGone) return;
      }
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      const limit = this.#hub.limits.frameBytesMax;
      const [code, message] =
        error.code === "frame-too-long"
          ? (["frame-too-long", `A request has at most ${limit} bytes`] as const)
          : (["protocol-error", error.message] as const);
      this.#client.dismiss({ code, message, reconnect: false });
    }
  }

  end(): void {
    // No more bytes will come, so each step drains the decoder.
    while (this.#isPaused && !this.#client.isGone) this.resume();
    this.#client.finish();
  }

  close(): void {
    this.#client.gone();
  }
}

class StreamLink implements Link {
  readonly address: string;
  readonly ping: undefined = undefined;
  readonly #connection: Connection;
  readonly #client: StreamClient;

  constructor(connection: Connection, client: StreamClient) {
    this.address = connection.remote?.host ?? "";
    this.#connection = connection;
    this.#client = client;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  send(bytes: Uint8Array): void {
    this.#connection.send(bytes);
  }

  pause(): void {
    this.#client.pause();
    this.#connection.pause();
  }

  resume(): void {
    if (this.#client.resume()) this.#connection.resume();
  }

  close(): void {
    void this.#connection.close();
  }
}

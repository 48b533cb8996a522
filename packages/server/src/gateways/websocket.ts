import type { IncomingMessage } from "node:http";
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { type Rate, TokenBucket } from "../core/mod.ts";
import type { Connection as ChatConnection, Encoder, Hub, Incoming, Link } from "../hub/mod.ts";
import { type ConnectionStream, PIECE_BYTES_MAX } from "./connection-stream.ts";
import { websocketFraming } from "./framing.ts";
import { refuse } from "./http.ts";

/** A dialect over WebSocket: one request per text frame. */
export interface WebSocketDialect {
  readonly encoder: Encoder;
  /** Creates the reader of one connection. It takes the texts in order and passes on what it reads. */
  reader(receive: (request: Incoming) => void): (text: string) => void;
}

/** Close codes of RFC 6455, section 7.4.1, and of the IANA registry (1013). */
const NORMAL = 1000;
const TRY_AGAIN_LATER = 1013;
const POLICY_VIOLATION = 1008;
const UNSUPPORTED_DATA = 1003;

const NO_BYTES = Buffer.alloc(0);

/** How long the peer may take to end the connection after the first close frame, in milliseconds. */
const CLOSE_MS = 5_000;
/** Pings and pongs of one connection. */
const CONTROL_FRAME_RATE: Rate = { perSecond: 10, burst: 100 };
/** Most frames of one message. Each may hold {@link PIECE_BYTES_MAX} bytes of memory. */
const FRAGMENTS_MAX = 64;
/**
 * Most chunks in which one frame may arrive: this many, or more if they have at least `PIECE_BYTES_MIN` bytes on
 * average.
 */
const PIECES_MAX = 256;
const PIECE_BYTES_MIN = 256;

/** Options of `ws` 8.23 that its types lack. */
type WebSocketOptions = ServerOptions & { readonly closeTimeout: number; readonly maxBufferedChunks: number };

/**
 * The gateway of chat clients over WebSocket. `ws` does the handshake and reads. Output is framed here, once for all
 * members.
 */
export class WebSocketGateway {
  readonly #hub: Hub;
  readonly #dialect: WebSocketDialect;
  readonly #server: WebSocketServer;

  constructor(hub: Hub, dialect: WebSocketDialect) {
    const { frameBytesMax } = hub.limits;
    const options: WebSocketOptions = {
      noServer: true,
      clientTracking: false,
      maxPayload: frameBytesMax,
      maxFragments: Math.max(FRAGMENTS_MAX, Math.ceil(frameBytesMax / PIECE_BYTES_MAX)),
      maxBufferedChunks: Math.max(PIECES_MAX, Math.ceil(frameBytesMax / PIECE_BYTES_MIN)),
      closeTimeout: CLOSE_MS,
      perMessageDeflate: false,
    };
    this.#hub = hub;
    this.#dialect = dialect;
    this.#server = new WebSocketServer(options);
    // An invalid handshake (RFC 6455, section 4.2.2).
    this.#server.on("wsClientError", ({ message }, socket) => {
      refuse(socket, 400, message, { "sec-websocket-version": "13" });
    });
  }

  /** Completes an upgrade that the HTTP gateway accepted. */
  accept(request: IncomingMessage, stream: ConnectionStream): void {
    this.#server.handleUpgrade(
      request,
      stream,
      NO_BYTES,
      stream.guarded((webSocket) => this.#serve(webSocket, stream)),
    );
  }

  #serve(webSocket: WebSocket, stream: ConnectionStream): void {
    const { encoder } = this.#dialect;
    const link = new WebSocketLink(webSocket, stream);
    const client: ChatConnection = this.#hub.connect(link, { encoder, framing: websocketFraming });
    const read = this.#dialect.reader((request) => client.receive(request));
    const controlFrames = new TokenBucket(CONTROL_FRAME_RATE, performance.now());
    const countControlFrame = stream.guarded(() => {
      if (controlFrames.waitMs(performance.now()) === 0) controlFrames.take();
      else webSocket.terminate();
    });
    const gone = stream.guarded(() => client.gone());
    client.answer({ type: "welcome" });
    webSocket.on(
      "message",
      stream.guarded((data: RawData, isBinary: boolean) => {
        if (isBinary) webSocket.close(UNSUPPORTED_DATA, "Text frames only");
        else read(data.toString());
      }),
    );
    webSocket.on("ping", countControlFrame);
    webSocket.on("pong", countControlFrame);
    // This listener runs after the one of `ws`, which has read the same bytes. The client leaves its rooms at the
    // first close frame of either side; `ws` then ends the connection.
    stream.on(
      "data",
      stream.guarded(() => {
        this.#hub.heard(client);
        if (webSocket.readyState !== webSocket.OPEN) client.gone();
      }),
    );
    stream.once("end", gone);
    stream.onDrain = () => client.drained();
    // The client broke the protocol or a limit. `ws` has sent the close frame already.
    webSocket.on("error", gone);
    webSocket.on("close", gone);
  }
}

class WebSocketLink implements Link {
  readonly address: string;
  readonly #webSocket: WebSocket;
  readonly #stream: ConnectionStream;

  constructor(webSocket: WebSocket, stream: ConnectionStream) {
    this.address = stream.remoteAddress;
    this.#webSocket = webSocket;
    this.#stream = stream;
  }

  get bufferedBytes(): number {
    return this.#stream.connection.bufferedBytes;
  }

  readonly ping = (): void => {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  };

  send(bytes: Uint8Array): void {
    // Written below `ws`, as whole frames. Without compression `ws` also writes whole frames at once, so no frame is
    // split.
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#stream.connection.send(bytes);
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  close({ reconnect, message }: { readonly reconnect: boolean; readonly message: string }): void {
    const refused = reconnect ? TRY_AGAIN_LATER : POLICY_VIOLATION;
    this.#webSocket.close(message === "" ? NORMAL : refused, message);
  }
}

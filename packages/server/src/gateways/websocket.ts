import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Command, Refusal } from "../core/mod.ts";
import type { Client, Hub, Link, WireFormats } from "../hub/mod.ts";
import { refuse } from "./http.ts";

/** A dialect over WebSocket: one request per text frame. */
export interface WebSocketDialect {
  readonly formats: WireFormats;
  read(text: string): Command | Refusal;
}

/** Close codes (RFC 6455, section 7.4.1, and the registry): try again later; policy violation. */
const TRY_AGAIN_LATER = 1013;
const POLICY_VIOLATION = 1008;
const UNSUPPORTED_DATA = 1003;

/** How long a peer has to answer a close frame, in milliseconds. */
const CLOSE_MS = 2_000;

/** Chat clients over WebSocket. `ws` does the handshake and reads; what is written is framed here, once for all. */
export class WebSocketGateway {
  readonly #hub: Hub;
  readonly #dialect: WebSocketDialect;
  readonly #server: WebSocketServer;

  constructor(hub: Hub, dialect: WebSocketDialect) {
    this.#hub = hub;
    this.#dialect = dialect;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: hub.limits.frameBytesMax,
      perMessageDeflate: false,
    });
    // A handshake that is wrong in itself (RFC 6455, section 4.2.2).
    this.#server.on("wsClientError", ({ message }, socket) => {
      refuse(socket, 400, message, { "sec-websocket-version": "13" });
    });
  }

  /** Answers an upgrade request that was judged already. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = request.socket.remoteAddress ?? "";
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#serve(new WebSocketLink(webSocket, socket, address), webSocket, socket);
    });
  }

  #serve(link: WebSocketLink, webSocket: WebSocket, socket: Duplex): void {
    const client: Client = this.#hub.connect(link, this.#dialect.formats);
    const heard = (): void => this.#hub.heard(client);
    client.answer({ type: "welcome" });
    webSocket.on("message", (data, isBinary) => {
      heard();
      if (isBinary) webSocket.close(UNSUPPORTED_DATA, "Text frames only");
      else client.receive(this.#dialect.read(data.toString()));
    });
    webSocket.on("pong", heard);
    // `ws` answers it, and cuts off a peer that does not read the answers.
    webSocket.on("ping", heard);
    socket.on("drain", () => client.drained());
    // Frames that break the protocol or the limit: `ws` has closed the connection with the right code already.
    webSocket.on("error", () => undefined);
    webSocket.on("close", () => client.gone());
  }
}

class WebSocketLink implements Link {
  readonly address: string;
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;

  constructor(webSocket: WebSocket, socket: Duplex, address: string) {
    this.address = address;
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  readonly ping = (): void => {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  };

  send(bytes: Uint8Array): void {
    // Whole frames, written below `ws`: as it compresses nothing, it writes whole frames too, and none is torn.
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#socket.write(bytes);
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  close({ reconnect, message }: { readonly reconnect: boolean; readonly message: string }): void {
    if (this.#webSocket.readyState === this.#webSocket.CLOSED) return;
    this.#webSocket.close(reconnect ? TRY_AGAIN_LATER : POLICY_VIOLATION, message);
    const timer = setTimeout(() => this.#webSocket.terminate(), CLOSE_MS);
    this.#webSocket.once("close", () => clearTimeout(timer));
  }
}

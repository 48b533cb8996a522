import { type Address, type Connection, type ConnectionHandlers, type Server, serve } from "@landline/sockets";
import { type AddressLimitOptions, AddressLimits } from "./address-limits.ts";
import { sniff } from "./sniff.ts";

export interface DoorOptions {
  readonly host: string;
  readonly port: number;
  /** Most connections open at once, of all protocols. More are reset. */
  readonly connectionsMax: number;
  /** Limits per address. @default none */
  readonly addressLimits?: AddressLimitOptions | undefined;
  /** How long to wait for a silent client before the welcome is sent, in milliseconds. */
  readonly silentMs: number;
  /**
   * How long to wait for a client whose first bytes do not show its protocol, in milliseconds. Then it gets the
   * welcome.
   */
  readonly sniffMs: number;
  /** Resets any connection whose buffered bytes make no progress for this long, in milliseconds. @default never */
  readonly sendTimeoutMs?: number | undefined;
  readonly report: (error: unknown) => void;
}

/** Handlers of connections, by detected protocol. */
export interface Doorways {
  json(connection: Connection, firstBytes: Uint8Array): void;
  jsonPrefixed(connection: Connection, firstBytes: Uint8Array): void;
  /** A client that waits for the server to speak first. */
  silent(connection: Connection): void;
  http(connection: Connection, firstBytes: Uint8Array): void;
}

/**
 * One port for all clients: it detects the protocol by a connection's first bytes and passes the connection on. All
 * except HTTP goes to the chat. The chat's codecs reject invalid openings (`opening.ts`), however they are split or
 * delayed.
 */
export class Door {
  readonly #server: Server;
  readonly #way: { in: Doorways | undefined };

  private constructor(server: Server, way: { in: Doorways | undefined }) {
    this.#server = server;
    this.#way = way;
  }

  /** @throws {SocketError} as `serve` does: `address-in-use` and others. */
  static async open(options: DoorOptions, doorways: Doorways): Promise<Door> {
    const { host, port, connectionsMax, sendTimeoutMs, report } = options;
    const way: { in: Doorways | undefined } = { in: doorways };
    const addressLimits = options.addressLimits && new AddressLimits(options.addressLimits);
    const server = await serve(
      { host, port, connectionsMax, sendTimeoutMs, keepAliveMs: KEEP_ALIVE_MS, onError: report },
      {
        open: (connection) => {
          const address = connection.remote?.host ?? "";
          if (way.in === undefined || addressLimits?.mayEnter(address, performance.now()) === false) {
            connection.reset();
            return;
          }
          addressLimits?.entered(address);
          void connection.closed.then(() => addressLimits?.left(address));
          connection.handle(new PendingConnection(connection, options, way.in));
        },
      },
    );
    return new Door(server, way);
  }

  get address(): Address {
    return this.#server.address;
  }

  /** The number of open connections, of all protocols. */
  get connections(): number {
    return this.#server.connections;
  }

  /** Accepts only new HTTP connections, which can still ask for the health. Open connections stay. */
  refuse(): void {
    if (this.#way.in !== undefined) this.#way.in = onlyHttp(this.#way.in);
  }

  /** Accepts no new connections. Open connections stay. */
  shut(): void {
    this.#way.in = undefined;
  }

  /** Stops listening. Resets connections that are still open after `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    await this.#server.shutdown({ timeoutMs });
  }
}

/** TCP keep-alive detects dead version 1 clients, which do not answer pings. */
const KEEP_ALIVE_MS = 60_000;

/** A connection whose protocol is not detected yet. */
class PendingConnection implements ConnectionHandlers {
  readonly #doorways: Doorways;
  readonly #sniffMs: number;
  #timer: NodeJS.Timeout;
  #firstBytes: Uint8Array = new Uint8Array(0);

  constructor(
    connection: Connection,
    { silentMs, sniffMs }: Pick<DoorOptions, "silentMs" | "sniffMs">,
    doorways: Doorways,
  ) {
    this.#doorways = doorways;
    this.#sniffMs = sniffMs;
    this.#timer = handOnAfter(silentMs, connection, () => doorways.silent(connection));
  }

  data(connection: Connection, chunk: Uint8Array): void {
    const isFirst = this.#firstBytes.length === 0;
    this.#firstBytes = isFirst ? chunk : Buffer.concat([this.#firstBytes, chunk]);
    const speech = sniff(this.#firstBytes);
    if (speech === undefined && !isFirst) return;
    clearTimeout(this.#timer);
    if (speech === undefined) {
      this.#timer = handOnAfter(this.#sniffMs, connection, () => this.#doorways.json(connection, this.#firstBytes));
      return;
    }
    if (speech === "http") this.#doorways.http(connection, this.#firstBytes);
    else if (speech === "json-prefixed") this.#doorways.jsonPrefixed(connection, this.#firstBytes);
    else this.#doorways.json(connection, this.#firstBytes);
  }

  end(connection: Connection): void {
    clearTimeout(this.#timer);
    // The new handler sees the end too.
    if (this.#firstBytes.length > 0) this.#doorways.json(connection, this.#firstBytes);
    else void connection.close();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

/** Resets all chat connections. */
function onlyHttp({ http }: Doorways): Doorways {
  const reset = (connection: Connection): void => connection.reset();
  return { json: reset, jsonPrefixed: reset, silent: reset, http };
}

/** Passes a connection on after a while, unless the server is closing it by then. */
function handOnAfter(ms: number, connection: Connection, handOn: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    if (connection.state !== "closing") handOn();
  }, ms);
}

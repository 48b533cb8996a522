import { type Address, type Connection, type ConnectionHandlers, type Server, serve } from "@landline/sockets";
import { type CallerLimits, Callers } from "./callers.ts";
import { sniff } from "./sniff.ts";

export interface DoorOptions {
  readonly host: string;
  readonly port: number;
  /** Connections open at once, whatever they speak; those above are dropped. */
  readonly connectionsMax: number;
  /** What one address may do. @default anything */
  readonly callers?: CallerLimits | undefined;
  /** A client that is silent for this long waits for the welcome, in milliseconds. */
  readonly silentMs: number;
  /** One that has begun to speak, but not shown what, gets the welcome after this long, in milliseconds. */
  readonly sniffMs: number;
  /** Bytes wait for a connection, of whatever kind, and none leaves for this long: it is reset. @default never */
  readonly sendTimeoutMs?: number | undefined;
  readonly report: (error: unknown) => void;
}

/** Where connections go once it is known what they speak. */
export interface Doorways {
  json(connection: Connection, firstBytes: Uint8Array): void;
  jsonPrefixed(connection: Connection, firstBytes: Uint8Array): void;
  /** A client that waits for the server to speak first. */
  silent(connection: Connection): void;
  http(connection: Connection, firstBytes: Uint8Array): void;
}

/**
 * One port for every kind of client: it looks at a connection's first bytes and hands the connection on. What is not HTTP
 * goes to the chat, whose codecs refuse what does not begin as a chat (`opening.ts`): early or late, cut or whole.
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
    const callers = options.callers && new Callers(options.callers);
    const server = await serve(
      { host, port, connectionsMax, sendTimeoutMs, keepAliveMs: KEEP_ALIVE_MS, onError: report },
      {
        open: (connection) => {
          const address = connection.remote?.host ?? "";
          if (way.in === undefined || callers?.mayEnter(address, performance.now()) === false) {
            connection.reset();
            return;
          }
          callers?.entered(address);
          void connection.closed.then(() => callers?.left(address));
          connection.handle(new Visitor(connection, options, way.in));
        },
      },
    );
    return new Door(server, way);
  }

  get address(): Address {
    return this.#server.address;
  }

  /** Connections open now, whatever they speak. */
  get connections(): number {
    return this.#server.connections;
  }

  /** Lets nobody in from now on but HTTP, which tells who asks; those inside stay. */
  refuse(): void {
    if (this.#way.in !== undefined) this.#way.in = onlyHttp(this.#way.in);
  }

  /** Lets nobody in from now on; those inside stay. */
  shut(): void {
    this.#way.in = undefined;
  }

  /** Stops listening, and gives those inside this long to go. */
  async close(timeoutMs: number): Promise<void> {
    await this.#server.shutdown({ timeoutMs });
  }
}

/** Watches over the seed's clients, which answer no pings. */
const KEEP_ALIVE_MS = 60_000;

/** A connection of which it is not known yet what it speaks. */
class Visitor implements ConnectionHandlers {
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
    // Whoever takes it sees the end too.
    if (this.#firstBytes.length > 0) this.#doorways.json(connection, this.#firstBytes);
    else void connection.close();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

/** Those that chat are reset. */
function onlyHttp({ http }: Doorways): Doorways {
  const reset = (connection: Connection): void => connection.reset();
  return { json: reset, jsonPrefixed: reset, silent: reset, http };
}

/** Hands a connection on after a while, unless the door is closing it by then. */
function handOnAfter(ms: number, connection: Connection, handOn: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    if (connection.state !== "closing") handOn();
  }, ms);
}

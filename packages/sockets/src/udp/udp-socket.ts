import dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP, isIPv6 } from "node:net";
import { formatAddress } from "../address.ts";
import { fromNodeError, SocketError } from "../errors.ts";
import { type DatagramSocketState, nextSocketId, publishStateChange } from "../state.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Datagram } from "./datagram.ts";

/** Where a datagram socket is or sends to. */
export interface UdpAddress {
  readonly host: string;
  readonly port: number;
}

export interface UdpSocketOptions {
  /** A name or an address. @default "localhost" */
  readonly host?: string | undefined;
  /** 0 takes a free port. @default 0 */
  readonly port?: number | undefined;
  /** Datagrams kept until they are received; the oldest are dropped and counted. @default 1024 */
  readonly queueMax?: number | undefined;
  /** Several sockets share the port. @default false */
  readonly reuseAddress?: boolean | undefined;
}

/** The most that one IPv4 datagram carries, in bytes. */
const DATAGRAM_BYTES_MAX = 65_507;
/** After this many sends in a row, the event loop gets its turn. */
const SENDS_PER_TURN = 64;

/**
 * A UDP socket: datagrams arrive whole, in any order, or not at all.
 *
 * Received datagrams wait in a bounded queue; when nobody takes them the oldest are dropped and counted in `dropped`.
 */
export class UdpSocket implements AsyncDisposable {
  readonly #socket: dgram.Socket;
  readonly #id: number = nextSocketId();
  readonly #queueMax: number;
  readonly #queue: Datagram[] = [];
  readonly #waits: Wait<Datagram | undefined>[] = [];
  /** Reject what is being sent or connected. */
  readonly #abandons = new Set<() => void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #family: 4 | 6;
  #address: UdpAddress = { host: "", port: 0 };
  #remote: UdpAddress | undefined;
  #state: DatagramSocketState = "created";
  #dropped = 0;
  #sends = 0;
  #error: SocketError | undefined;

  private constructor(socket: dgram.Socket, family: 4 | 6, options: UdpSocketOptions) {
    this.#socket = socket;
    this.#family = family;
    this.#queueMax = options.queueMax ?? 1_024;
    socket.on("message", (data, from) => this.#receive({ data, from: { host: from.address, port: from.port } }));
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", () => this.#finish());
  }

  /** @internal See {@link bind}. */
  static async open(options: UdpSocketOptions): Promise<UdpSocket> {
    const { host = "localhost", port = 0, reuseAddress = false } = options;
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`port must be 0 to 65535: ${port}`);
    const { queueMax = 1 } = options;
    if (!(queueMax >= 1)) throw new RangeError(`queueMax must be 1 or more: ${queueMax}`);
    const action = `Cannot bind ${formatAddress({ host, port })}`;
    const { address, family } = await resolve(host, 0, action);
    const socket = dgram.createSocket({ type: family === 6 ? "udp6" : "udp4", reuseAddr: reuseAddress });
    const udpSocket = new UdpSocket(socket, family, options);
    const { promise, resolve: bound, reject } = Promise.withResolvers<void>();
    const refuse = (error: Error) => reject(fromNodeError(error, action, { operation: "bind", local: { host, port } }));
    socket.once("error", refuse);
    socket.bind({ address, port }, () => {
      socket.off("error", refuse);
      bound();
    });
    try {
      await promise;
    } catch (error) {
      socket.close();
      throw error;
    }
    const own = socket.address();
    udpSocket.#address = { host: own.address, port: own.port };
    udpSocket.#moveTo("bound");
    return udpSocket;
  }

  /** This socket's own address. */
  get address(): UdpAddress {
    return this.#address;
  }

  /** Where a connected socket sends to. */
  get remote(): UdpAddress | undefined {
    return this.#remote;
  }

  get state(): DatagramSocketState {
    return this.#state;
  }

  /** Datagrams thrown away because nobody received them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Resolves when the socket is closed. Never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Sends one datagram; resolves when the kernel has it, which says nothing about its arrival.
   * Without `to` the socket must be connected.
   *
   * @throws {SocketError} `message-too-long` above 65,507 bytes; `name-not-found`; `closed`; on a connected socket
   * `refused` when an earlier datagram was.
   */
  async send(data: Uint8Array | string, to?: UdpAddress): Promise<void> {
    this.#checkOpen("send");
    const target = to ?? this.#remote;
    if (target === undefined) throw new TypeError("to must be given, as the socket is not connected");
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const action = `Cannot send to ${formatAddress(target)}`;
    if (bytes.length > DATAGRAM_BYTES_MAX) {
      throw new SocketError(
        "message-too-long",
        `${action}: ${bytes.length} bytes exceed the ${DATAGRAM_BYTES_MAX} of a datagram`,
        { operation: "send", remote: target },
      );
    }
    const host = to === undefined ? undefined : (await resolve(to.host, this.#family, action)).address;
    this.#checkOpen("send");
    await this.#call("send", action, target, (done) => {
      if (host === undefined) this.#socket.send(bytes, done);
      else this.#socket.send(bytes, target.port, host, done);
    });
    this.#sends += 1;
    if (this.#sends % SENDS_PER_TURN === 0) await new Promise((next) => setImmediate(next));
  }

  /**
   * Waits for the next datagram.
   *
   * @throws {SocketError} `timeout`; `closed`; on a connected socket `refused` when nobody listens there.
   */
  async receive(options?: WaitOptions): Promise<Datagram> {
    const datagram = await this.#next(options);
    if (datagram === undefined) throw this.#closedError("receive");
    return datagram;
  }

  /** Datagram after datagram until the socket is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) yield next;
  }

  /** Fixes the peer, or another one: `send` needs no address any more and only its datagrams are received. */
  async connect(to: UdpAddress): Promise<void> {
    this.#checkOpen("connect");
    const action = `Cannot connect to ${formatAddress(to)}`;
    const { address } = await resolve(to.host, this.#family, action);
    this.#checkOpen("connect");
    if (this.#remote !== undefined) {
      this.#remote = undefined;
      this.#socket.disconnect();
    }
    await this.#call("connect", action, to, (done) => this.#socket.connect(to.port, address, done));
    this.#remote = { host: address, port: to.port };
  }

  /** Closes at once; a `receive` that waits rejects with `closed`, iteration ends. Idempotent. */
  close(): Promise<void> {
    if (this.#state === "bound") {
      this.#moveTo("closing");
      this.#socket.close();
    }
    return this.closed;
  }

  /** Keeps the process alive while the socket is open (the default). */
  ref(): void {
    this.#socket.ref();
  }

  /** Lets the process end although the socket is open. */
  unref(): void {
    this.#socket.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #receive(datagram: Datagram): void {
    const wait = this.#waits.shift();
    if (wait !== undefined) {
      wait.resolve(datagram);
      return;
    }
    if (this.#queue.length >= this.#queueMax) {
      this.#queue.shift();
      this.#dropped += 1;
    }
    this.#queue.push(datagram);
  }

  #next(options?: WaitOptions): Promise<Datagram | undefined> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    const ready = this.#queue.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#state !== "bound") return Promise.resolve(undefined);
    const wait = new Wait<Datagram | undefined>(
      options,
      () => "Cannot receive a datagram",
      () => this.#waits.splice(this.#waits.indexOf(wait), 1),
    );
    this.#waits.push(wait);
    return wait.promise;
  }

  /** A call of dgram's. Closing settles it too, as dgram then forgets the callbacks of what has not begun. */
  #call(
    operation: "send" | "connect",
    action: string,
    remote: UdpAddress,
    start: (done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    const { promise, resolve: succeed, reject } = Promise.withResolvers<void>();
    const abandon = (): void => reject(this.#closedError(operation));
    start((error) => {
      this.#abandons.delete(abandon);
      if (error === undefined || error === null) succeed();
      else reject(fromNodeError(error, action, { operation, remote }));
    });
    this.#abandons.add(abandon);
    return promise;
  }

  /** An error that belongs to no call, an ICMP answer to an earlier send for example: the next receive gets it. */
  #failed(cause: Error): void {
    if (this.#state !== "bound") return;
    const error = fromNodeError(cause, "Cannot receive a datagram", { operation: "receive" });
    const wait = this.#waits.shift();
    if (wait === undefined) this.#error = error;
    else wait.reject(error);
  }

  #finish(): void {
    this.#moveTo("closed");
    for (const wait of this.#waits.splice(0)) wait.resolve(undefined);
    for (const abandon of this.#abandons) abandon();
    this.#abandons.clear();
    this.#closed.resolve();
  }

  #checkOpen(operation: string): void {
    if (this.#state !== "bound") throw this.#closedError(operation);
  }

  #closedError(operation: string): SocketError {
    return new SocketError("closed", `Cannot ${operation} on ${formatAddress(this.#address)}: the socket is closed`, {
      operation,
      local: this.#address,
    });
  }

  #moveTo(to: DatagramSocketState): void {
    const from = this.#state;
    if (from === to) return;
    this.#state = to;
    publishStateChange<DatagramSocketState>("datagram", () => ({
      id: this.#id,
      from,
      to,
      at: Date.now(),
      local: this.#address,
      remote: this.#remote,
      reason: undefined,
    }));
  }
}

/** The first address of a name, of one family or of any (0). */
async function resolve(host: string, family: 0 | 4 | 6, action: string): Promise<{ address: string; family: 4 | 6 }> {
  if (isIP(host) !== 0) return { address: host, family: isIPv6(host) ? 6 : 4 };
  // The seed's socket is IPv4 and so is most of UDP: where a name has both, IPv4 is taken.
  try {
    const found = await lookup(host, { family, order: "ipv4first" });
    return { address: found.address, family: found.family === 6 ? 6 : 4 };
  } catch (error) {
    throw fromNodeError(error, action, { operation: "lookup" });
  }
}

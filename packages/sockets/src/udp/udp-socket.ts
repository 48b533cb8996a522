import type dgram from "node:dgram";
import { formatAddress } from "../address.ts";
import { fromNodeError, SocketError } from "../errors.ts";
import { PullIterator } from "../pull-iterator.ts";
import { type DatagramSocketState, nextSocketId, publishStateChange } from "../state.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import { type BoundSocket, openBoundSocket } from "./bound-socket.ts";
import type { Datagram } from "./datagram.ts";
import { MulticastGroups, type MulticastOptions } from "./multicast.ts";
import { NameCache } from "./name-cache.ts";
import { PeerLink } from "./peer-link.ts";
import { actionOf, PendingCalls } from "./pending-calls.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import { PendingRequest, type RequestOptions } from "./request.ts";
import { checkPeerPort, type UdpAddress } from "./udp-address.ts";
import type { UdpSocketOptions } from "./udp-options.ts";

/** The most that one IPv4 datagram carries, in bytes. */
const DATAGRAM_BYTES_MAX = 65_507;
/**
 * After this many sends in a row, the event loop gets its turn. libuv reads at most 32 datagrams of a socket in a turn;
 * with more than that, a loop that sends to a socket of its own process overruns the kernel's buffer (with 64, half of
 * 20,000 datagrams were lost).
 */
const SENDS_PER_TURN = 32;

/**
 * A UDP socket: datagrams arrive whole, in any order, or not at all.
 *
 * Received datagrams wait in a bounded queue; when nobody takes them the oldest are dropped and counted in `dropped`.
 * The socket is IPv4 or IPv6, as its host is, and takes the addresses of its family from every name that it is given.
 * The addresses of a name are remembered for 5 s.
 */
export class UdpSocket implements AsyncDisposable {
  readonly #socket: dgram.Socket;
  readonly #id: number = nextSocketId();
  readonly #address: UdpAddress;
  readonly #queue: ReceiveQueue;
  readonly #names: NameCache;
  readonly #calls = new PendingCalls((operation) => this.#checkOpen(operation));
  readonly #link: PeerLink;
  readonly #groups: MulticastGroups;
  /** The requests that wait for an answer, oldest first. */
  readonly #requests = new Set<PendingRequest>();
  readonly #closed = Promise.withResolvers<void>();
  #state: DatagramSocketState = "created";
  #sends = 0;

  private constructor({ socket, family }: BoundSocket, options: UdpSocketOptions) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.#address = { host: address, port };
    this.#queue = new ReceiveQueue(options.queueMax ?? 1_024);
    this.#names = new NameCache(family, options.lookup);
    this.#link = new PeerLink(socket, this.#calls);
    this.#groups = new MulticastGroups(socket, family);
    socket.on("message", (data, from) => this.#receive({ data, from: { host: from.address, port: from.port } }));
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", () => this.#finish());
    this.#moveTo("bound");
  }

  /** @internal See {@link bind}. */
  static async open(options: UdpSocketOptions): Promise<UdpSocket> {
    return new UdpSocket(await openBoundSocket(options), options);
  }

  /** This socket's own address. It stays the same, connected or not. */
  get address(): UdpAddress {
    return this.#address;
  }

  /** Where a connected socket sends to: the address that its name stood for. */
  get remote(): UdpAddress | undefined {
    return this.#link.remote;
  }

  get state(): DatagramSocketState {
    return this.#state;
  }

  /** Datagrams thrown away because nobody received them in time. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Resolves when the socket is closed. Never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Size of the kernel's receive buffer in bytes, as the kernel counts it: Linux gives twice what was asked for, as its
   * own bookkeeping takes its place there.
   *
   * @throws {SocketError} `closed`.
   */
  get receiveBufferBytes(): number {
    this.#checkOpen("get the buffer size");
    return this.#socket.getRecvBufferSize();
  }

  /**
   * Size of the kernel's send buffer in bytes; see {@link receiveBufferBytes}.
   *
   * @throws {SocketError} `closed`.
   */
  get sendBufferBytes(): number {
    this.#checkOpen("get the buffer size");
    return this.#socket.getSendBufferSize();
  }

  /**
   * Sends one datagram of at most 65,507 bytes; resolves when the kernel has it, which says nothing about its arrival.
   * Without `to` the socket must be connected. Every 32 datagrams the event loop gets its turn.
   *
   * An abort rejects at once, during the name look-up too, and the datagram is not sent; only one that the kernel is
   * being given at that moment may still go.
   *
   * @throws {SocketError} `message-too-long`; `name-not-found`, also for a name without an address of this socket's
   * family; `name-lookup-failed`; `timeout`; `closed`; `permission` to a broadcast address without `broadcast`; on a
   * connected socket `refused` when an earlier datagram was.
   * @throws {TypeError} when there is no `to` and no connection, or `to` is not the peer of the connection.
   */
  send(data: Uint8Array | string, to?: UdpAddress, options?: WaitOptions): Promise<void> {
    this.#sends += 1;
    const sent = options === undefined ? this.#send(data, to) : this.#sendWaiting(data, to, options);
    return this.#sends % SENDS_PER_TURN === 0 ? sent.then(nextTurn) : sent;
  }

  /** At once, where no name has to be looked up. Not `async`, as this is the hot path. */
  #send(data: Uint8Array | string, to: UdpAddress | undefined): Promise<void> {
    try {
      return this.#sendNow(data, to);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #sendNow(data: Uint8Array | string, to: UdpAddress | undefined): Promise<void> {
    this.#checkOpen("send");
    const target = this.#targetOf(to);
    const bytes = bytesOf(data, target);
    if (to === undefined) return this.#transmit(bytes, target, undefined);
    const host = this.#names.known(to.host, () => actionOf({ operation: "send", remote: target }))?.[0];
    return host === undefined ? this.#sendWaiting(bytes, to, undefined) : this.#transmit(bytes, target, host);
  }

  async #sendWaiting(
    data: Uint8Array | string,
    to: UdpAddress | undefined,
    options: WaitOptions | undefined,
  ): Promise<void> {
    await refusalOf(options);
    this.#checkOpen("send");
    const target = this.#targetOf(to);
    const bytes = bytesOf(data, target);
    const action = (): string => actionOf({ operation: "send", remote: target });
    // Throws for an address that cannot be sent to.
    if (to !== undefined) this.#names.known(to.host, action);
    await this.#waitFor(action, options, async (wait) => {
      const found = to === undefined ? undefined : await this.#resolve("send", to.host, action);
      if (!wait.isSettled) await this.#transmit(bytes, target, found?.[0]);
    });
  }

  /**
   * Sends a datagram and waits for the answer, sending again while there is none.
   *
   * The answer is the next datagram from the address asked (and for which `matches` is true); all others still go to
   * `receive`, late answers to earlier attempts among them. Requests may run at the same time: a datagram answers the
   * oldest one that it fits. `to` may be left out on a connected socket.
   *
   * Each wait is twice the one before, give or take a quarter at random. They are such that all attempts fit into
   * `timeoutMs`: with its 5,000 ms and 4 attempts about 333, 667 and 1,333 ms, then the rest. The receiver may get the
   * datagram several times, so ask only what may be asked twice.
   *
   * @throws {SocketError} `timeout` when no attempt was answered; `closed` when the socket is closed meanwhile; what
   * {@link send} rejects with, for any attempt; on a connected socket `refused`.
   * @throws {RangeError} when `attempts` is not 1 to 10, or `timeoutMs` is no time.
   *
   * @example
   * ```ts
   * import { bind } from "@landline/sockets";
   * import assert from "node:assert/strict";
   *
   * await using server = await bind({ host: "127.0.0.1" });
   * const serving = (async () => {
   *   for await (const { data, from } of server) await server.send(`Hello ${Buffer.from(data)}`, from);
   * })();
   *
   * await using client = await bind({ host: "127.0.0.1" });
   * const { data } = await client.request("Ada", server.address, { timeoutMs: 2_000, attempts: 3 });
   * assert.equal(Buffer.from(data).toString(), "Hello Ada");
   * await server.close();
   * await serving;
   * ```
   */
  async request(data: Uint8Array | string, to?: UdpAddress, options: RequestOptions = {}): Promise<Datagram> {
    await refusalOf(options);
    this.#checkOpen("request");
    const target = this.#targetOf(to);
    const bytes = Uint8Array.from(bytesOf(data, target));
    const action = (): string => `Cannot get an answer from ${formatAddress(target)}`;
    const request = new PendingRequest(options, action, () => this.#requests.delete(request));
    this.#requests.add(request);
    this.#ask(request, bytes, to, action).catch((error: unknown) => request.reject(error));
    return await request.answer;
  }

  /**
   * Waits for the next datagram that no request takes. A timeout or an abort loses none.
   *
   * @throws {SocketError} `timeout`; `closed`; on a connected socket `refused` when nobody listens there.
   */
  async receive(options?: WaitOptions): Promise<Datagram> {
    const datagram = await this.#next((next) => next, options);
    if (datagram === undefined) throw this.#closedError("receive");
    return datagram;
  }

  /** Datagram after datagram until the socket is closed; throws as {@link receive}. Leaving the loop leaves it open. */
  [Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    return new PullIterator(() => this.#next(PullIterator.result<Datagram>));
  }

  /**
   * Fixes the peer, or another one: `send` needs no address any more and only its datagrams are received. What has been
   * received before stays in the queue.
   *
   * Nothing is sent. That nobody listens shows with the first datagram: then the next address of the name, if it has
   * one, gets that datagram and is the peer from then on. Only when the last address refuses, `send`, `receive` or
   * `request` rejects with `refused`. Once an address has answered, there is no more moving on.
   *
   * @throws {SocketError} `name-not-found`, also for a name without an address of this socket's family;
   * `name-lookup-failed`; `unreachable`; `timeout` and aborts, which leave the peer as it was; `closed`.
   */
  async connect(to: UdpAddress, options?: WaitOptions): Promise<void> {
    if (options !== undefined) await refusalOf(options);
    this.#checkOpen("connect");
    checkPeerPort(to.port);
    const action = (): string => actionOf({ operation: "connect", remote: to });
    await this.#waitFor(action, options, async (wait) => {
      const hosts = await this.#resolve("connect", to.host, action);
      if (!wait.isSettled) await this.#link.connect(hosts, to);
    });
  }

  /** Undoes {@link connect}: everybody is heard again, and `send` needs an address. Without a peer it does nothing. */
  async disconnect(): Promise<void> {
    this.#checkOpen("disconnect");
    await this.#link.disconnect();
  }

  /**
   * Receives what is sent to a multicast group at this socket's port. Joining twice is joining once; closing leaves.
   * The socket should be bound to `0.0.0.0` or `::`: on Linux one bound to another address hears no group.
   *
   * @throws {TypeError} when the group is no multicast address of this socket's family.
   * @throws {SocketError} `address-not-available` when there is no such interface; `system`; `closed`.
   *
   * @example
   * ```ts
   * import { bind } from "@landline/sockets";
   *
   * await using socket = await bind({ host: "0.0.0.0", multicastInterface: "127.0.0.1" });
   * socket.joinMulticast("239.255.7.7", { interface: "127.0.0.1" });
   * await socket.send("who is there?", { host: "239.255.7.7", port: socket.address.port });
   * ```
   */
  joinMulticast(group: string, options?: MulticastOptions): void {
    this.#checkOpen("join");
    this.#groups.join(group, options);
  }

  /**
   * Undoes {@link joinMulticast} with the same interface. Leaving what was not joined does nothing. On Linux a socket
   * on `0.0.0.0` goes on hearing the group while another socket of the machine is in it.
   *
   * @throws {TypeError} when the group is no multicast address of this socket's family.
   * @throws {SocketError} `system`; `closed`.
   */
  leaveMulticast(group: string, options?: MulticastOptions): void {
    this.#checkOpen("leave");
    this.#groups.leave(group, options);
  }

  /** Closes at once; a `receive` or `request` that waits rejects with `closed`, iteration ends. Idempotent. */
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
    this.#link.heard(datagram.from);
    for (const request of this.#requests) if (request.take(datagram, this.remote)) return;
    this.#queue.push(datagram);
  }

  #next<T>(take: (datagram: Datagram | undefined) => T, options?: WaitOptions): Promise<T> {
    return this.#queue.next(take, options, () => this.#receiveAction());
  }

  #receiveAction(): string {
    const { remote } = this;
    return remote === undefined ? "Cannot receive a datagram" : `Cannot receive from ${formatAddress(remote)}`;
  }

  /** Where a datagram goes: to `to`, or to the peer, which is the only one to send to where there is one. */
  #targetOf(to: UdpAddress | undefined): UdpAddress {
    const { remote } = this;
    if (to === undefined) {
      if (remote === undefined) throw new TypeError("to must be given, as the socket is not connected");
      return remote;
    }
    checkPeerPort(to.port);
    return to;
  }

  /** Not `async`, as this is the hot path; it throws at once. `host` is left out to send to the peer. */
  #transmit(bytes: Uint8Array, target: UdpAddress, host: string | undefined): Promise<void> {
    this.#checkOpen("send");
    const { moving } = this.#link;
    if (moving !== undefined) return moving.then(() => this.#transmit(bytes, target, host));
    const { remote } = this;
    if (host === undefined || (remote?.host === host && remote.port === target.port)) return this.#link.send(bytes);
    if (remote !== undefined) {
      throw new TypeError(`to must be left out, as the socket is connected to ${formatAddress(remote)}`);
    }
    return this.#calls.run({ operation: "send", remote: target }, (done) =>
      this.#socket.send(bytes, target.port, host, done),
    );
  }

  async #ask(
    request: PendingRequest,
    bytes: Uint8Array,
    to: UdpAddress | undefined,
    action: () => string,
  ): Promise<void> {
    const host = to === undefined ? undefined : (await this.#names.addresses(to.host, action))[0];
    request.start(async () => {
      // A connected socket may have moved on to another address.
      const target = to ?? this.remote;
      if (target === undefined) throw new TypeError("to must be given, as the socket is not connected");
      request.peer = { host: host ?? target.host, port: target.port };
      await this.#transmit(bytes, target, host);
    });
  }

  /** The addresses of a name; the end of the socket ends the look-up for the caller. */
  async #resolve(operation: string, host: string, action: () => string): Promise<readonly string[]> {
    const addresses = await this.#calls.race(operation, this.#names.addresses(host, action));
    this.#checkOpen(operation);
    return addresses;
  }

  /** Work that an abort or a timeout ends for the caller; the work looks at `wait.isSettled` before it does anything. */
  #waitFor(
    action: () => string,
    options: WaitOptions | undefined,
    work: (wait: Wait<void>) => Promise<void>,
  ): Promise<void> {
    const wait = new Wait<void>(options, action, () => undefined);
    work(wait).then(
      () => wait.resolve(),
      (error: unknown) => wait.reject(error),
    );
    return wait.promise;
  }

  /** An error that belongs to no call, an ICMP answer to an earlier send for example. */
  #failed(cause: Error): void {
    if (this.#state !== "bound") return;
    const { remote } = this;
    const error = fromNodeError(cause, this.#receiveAction(), { operation: "receive", ...(remote && { remote }) });
    if (error.code !== "refused" || !this.#link.canMoveOn) {
      this.#reject(error);
      return;
    }
    this.#link.moveOn().catch((next: unknown) => {
      if (this.#state === "bound") this.#reject(fromNodeError(next, this.#receiveAction(), { operation: "receive" }));
    });
  }

  /** All requests of a connected socket are the peer's; else the next receive gets the error. */
  #reject(error: SocketError): void {
    if (this.#requests.size === 0) this.#queue.fail(error);
    for (const request of this.#requests) request.reject(error);
  }

  #finish(): void {
    this.#moveTo("closed");
    for (const request of this.#requests) request.reject(this.#closedError("request"));
    this.#queue.end();
    this.#calls.abandonAll((operation) => this.#closedError(operation));
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
      remote: this.remote,
      reason: undefined,
    }));
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function bytesOf(data: Uint8Array | string, remote: UdpAddress): Uint8Array {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  if (bytes.length <= DATAGRAM_BYTES_MAX) return bytes;
  throw new SocketError(
    "message-too-long",
    `${actionOf({ operation: "send", remote })}: ${bytes.length} bytes exceed the ${DATAGRAM_BYTES_MAX} of a datagram`,
    { operation: "send", remote },
  );
}

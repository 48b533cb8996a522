import type dgram from "node:dgram";
import { formatAddress } from "../address.ts";
import { ErrorReporter } from "../error-reporter.ts";
import { fromNodeError, SocketError, textOf } from "../errors.ts";
import { PullIterator } from "../pull-iterator.ts";
import { type DatagramSocketState, nextSocketId, publishStateChange } from "../state.ts";
import { endEarly, refusalOf, type WaitOptions } from "../wait.ts";
import { type BoundSocket, openBoundSocket } from "./bound-socket.ts";
import type { Datagram } from "./datagram.ts";
import type { DatagramHandlers } from "./datagram-handlers.ts";
import { MulticastGroups, type MulticastOptions } from "./multicast.ts";
import { NameCache } from "./name-cache.ts";
import { PeerLink } from "./peer-link.ts";
import { actionOf, PendingCalls } from "./pending-calls.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import { PendingRequest, type RequestOptions } from "./request.ts";
import { SendSide } from "./send-side.ts";
import type { UdpAddress } from "./udp-address.ts";
import type { UdpSocketOptions } from "./udp-options.ts";

/**
 * A UDP socket: datagrams arrive whole, in any order, or not at all.
 *
 * It is read in one of two ways: by pulling (`receive`, `for await`), or by events (`handle`). What is pulled waits in a
 * bounded queue; when nobody takes it the oldest datagrams are dropped and counted in `dropped`.
 *
 * The socket is IPv4 or IPv6, as its host is, and takes the addresses of its family from every name that it is given. One
 * on `::` without `ipv6Only` speaks both: it sends to IPv4 addresses, and to names that have no others, and shows them as
 * `::ffff:192.0.2.1`.
 * The addresses of a name are remembered for 5 s.
 */
export class UdpSocket implements AsyncDisposable {
  readonly #socket: dgram.Socket;
  readonly #id: number = nextSocketId();
  readonly #address: UdpAddress;
  readonly #queue: ReceiveQueue;
  readonly #names: NameCache;
  readonly #calls = new PendingCalls((operation) =>
    this.#state === "bound" ? undefined : this.#closedError(operation),
  );
  readonly #link: PeerLink;
  readonly #sending: SendSide;
  readonly #groups: MulticastGroups;
  /** The requests that wait for an answer, oldest first. */
  readonly #requests = new Set<PendingRequest>();
  readonly #closed = Promise.withResolvers<void>();
  #state: DatagramSocketState = "created";
  #handlers: DatagramHandlers | undefined;
  /** There with the handlers. */
  #reporter: ErrorReporter | undefined;

  private constructor({ socket, family, isDualStack }: BoundSocket, options: UdpSocketOptions) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.#address = { host: address, port };
    this.#queue = new ReceiveQueue(options.queueMax ?? 1_024);
    this.#names = new NameCache(family, options.lookup, isDualStack);
    this.#link = new PeerLink(socket, this.#calls);
    this.#sending = new SendSide(socket, family, this.#names, this.#link, this.#calls);
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
    this.#calls.checkOpen("get the buffer size");
    return this.#socket.getRecvBufferSize();
  }

  /**
   * Size of the kernel's send buffer in bytes; see {@link receiveBufferBytes}.
   *
   * @throws {SocketError} `closed`.
   */
  get sendBufferBytes(): number {
    this.#calls.checkOpen("get the buffer size");
    return this.#socket.getSendBufferSize();
  }

  /**
   * Sends one datagram of at most 65,507 bytes, or 65,527 over IPv6; resolves when the kernel has it, which says nothing about its arrival.
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
    return this.#sending.send(data, to, options);
  }

  /**
   * Gives one datagram to the kernel now, or drops it: for answers that nobody waits for. What the kernel makes of it is
   * not told. False when it was dropped: it is too long; the socket is closed; 1,024 datagrams wait for room in the kernel;
   * or `to` is an address of the other family, has port 0 (as a sender may have), or is a name: of names only those are
   * known that `send` or `request` looked up less than 5 s ago, so give it addresses.
   *
   * @throws {TypeError} as {@link send}, and when `data` is neither bytes nor text, or `to` has no host.
   * @throws {RangeError} when `to` has no port that there is.
   */
  trySend(data: Uint8Array | string, to?: UdpAddress): boolean {
    return this.#sending.trySend(data, to);
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
   * {@link send} rejects with, for any attempt; on a connected socket `refused`, as soon as the peer's system says that
   * nobody listens. That is told to connected sockets only: without {@link connect} it is a `timeout`.
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
    const target = this.#sending.targetOf("request", to);
    const bytes = this.#sending.copyOf(data, target);
    const action = (): string => `Cannot get an answer from ${formatAddress(target)}`;
    const request = new PendingRequest(options, action, () => this.#requests.delete(request));
    this.#requests.add(request);
    this.#ask(request, bytes, to, action).catch((error: unknown) => request.reject(error));
    return await request.answer;
  }

  /**
   * Waits for the next datagram that no request takes. A timeout or an abort loses none.
   *
   * @throws {SocketError} `timeout`; `closed`; on a connected socket `refused` when nobody listens there; `busy` when the
   * socket is read by handlers.
   */
  receive(options?: WaitOptions): Promise<Datagram> {
    return this.#next((datagram) => {
      if (datagram === undefined) throw this.#closedError("receive");
      return datagram;
    }, options);
  }

  /** Datagram after datagram until the socket is closed; throws as {@link receive}. Leaving the loop leaves it open. */
  [Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    return new PullIterator(() => this.#next(PullIterator.result<Datagram>));
  }

  /**
   * Reads by events from now on; what is stored is delivered first. Calling it again changes the handlers.
   *
   * @throws {SocketError} `busy` while `receive` waits; `closed`.
   *
   * @example
   * ```ts
   * import { bind } from "@landline/sockets";
   * import assert from "node:assert/strict";
   *
   * await using server = await bind({ host: "127.0.0.1" });
   * server.handle({ datagram: (socket, { data, from }) => void socket.trySend(data, from) });
   *
   * await using client = await bind({ host: "127.0.0.1" });
   * const { data } = await client.request("hello", server.address);
   * assert.equal(Buffer.from(data).toString(), "hello");
   * ```
   */
  handle(handlers: DatagramHandlers): void {
    this.#calls.checkOpen("handle");
    if (this.#queue.isWaitedFor) throw this.#busy("Cannot handle datagrams", "a receive is waiting");
    this.#handlers = handlers;
    this.#reporter = new ErrorReporter(handlers.error && ((error) => handlers.error?.(this, error as SocketError)));
    // One by one: a handler may close the socket, or call this with others, which then get the rest.
    while (this.#state === "bound" && this.#handlers === handlers) {
      const datagram = this.#queue.take();
      if (datagram === undefined) break;
      this.#run("datagram", handlers, datagram);
    }
    const error = this.#state === "bound" ? this.#queue.takeError() : undefined;
    if (error !== undefined) this.#reporter.report(error);
  }

  /**
   * Fixes the peer, or another one: `send` needs no address any more and only its datagrams are received. What has been
   * received before stays in the queue.
   *
   * Nothing is sent. What was sent before and still waits for room in the kernel goes to the new peer: await it first.
   *
   * That nobody listens shows with the first datagram: then the next address of the name, if it has one, gets that
   * datagram and is the peer from then on. Only when the last address refuses, `send`, `receive` or `request` rejects with
   * `refused`. Once an address has answered, there is no more moving on.
   *
   * @throws {SocketError} `name-not-found`, also for a name without an address of this socket's family;
   * `name-lookup-failed`; `unreachable`; `timeout` and aborts, which leave the peer as it was; `closed`.
   */
  async connect(to: UdpAddress, options?: WaitOptions): Promise<void> {
    if (options !== undefined) await refusalOf(options);
    this.#sending.targetOf("connect", to);
    const action = (): string => actionOf({ operation: "connect", remote: to });
    await endEarly(action, options, async (wait) => {
      const hosts = await this.#sending.resolve("connect", to.host, action);
      if (!wait.isSettled) await this.#link.connect(hosts, to);
    });
  }

  /** Undoes {@link connect}: everybody is heard again, and `send` needs an address. Without a peer it does nothing. */
  async disconnect(): Promise<void> {
    this.#calls.checkOpen("disconnect");
    await this.#link.disconnect();
  }

  /**
   * Receives what is sent to a multicast group at this socket's port. Joining twice is joining once, however group and
   * interface are spelled; closing leaves.
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
    this.#calls.checkOpen("join");
    this.#groups.join(group, options);
  }

  /**
   * Undoes {@link joinMulticast} with the same interface, however it is spelled. Leaving what was not joined does nothing. On Linux a socket
   * on `0.0.0.0` goes on hearing the group while another socket of the machine is in it.
   *
   * @throws {TypeError} when the group is no multicast address of this socket's family.
   * @throws {SocketError} `system`; `closed`.
   */
  leaveMulticast(group: string, options?: MulticastOptions): void {
    this.#calls.checkOpen("leave");
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
    if (this.#requests.size > 0) {
      for (const request of this.#requests) if (request.take(datagram, this.remote)) return;
    }
    if (this.#handlers === undefined) this.#queue.push(datagram);
    else this.#run("datagram", this.#handlers, datagram);
  }

  #next<T>(take: (datagram: Datagram | undefined) => T, options?: WaitOptions): Promise<T> {
    if (this.#handlers !== undefined && this.#state === "bound") {
      return Promise.reject(this.#busy(this.#receiveAction(), "the socket is read by its handlers"));
    }
    return this.#queue.next(take, options, () => this.#receiveAction());
  }

  #receiveAction(): string {
    const { remote } = this;
    return remote === undefined ? "Cannot receive a datagram" : `Cannot receive from ${formatAddress(remote)}`;
  }

  /** Calls a handler; what it throws, now or later, is told. */
  #run(name: "datagram" | "close", handlers: DatagramHandlers, datagram?: Datagram): void {
    try {
      const result: unknown = handlers[name]?.(this, datagram as Datagram);
      // It may be an async function, although nobody waits for it.
      if (result instanceof Promise) result.catch((error: unknown) => this.#handlerFailed(name, error));
    } catch (error) {
      this.#handlerFailed(name, error);
    }
  }

  #handlerFailed(name: string, cause: unknown): void {
    const text = `The ${name} handler of ${formatAddress(this.#address)} failed: ${textOf(cause)}`;
    this.#reporter?.report(new SocketError("system", text, { operation: name, local: this.#address, cause }));
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
      await this.#sending.transmit(bytes, target, host);
    });
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

  /** All requests of a connected socket are the peer's; else the handlers or the next receive get the error. */
  #reject(error: SocketError): void {
    if (this.#requests.size > 0) for (const request of this.#requests) request.reject(error);
    else if (this.#reporter !== undefined) this.#reporter.report(error);
    else this.#queue.fail(error);
  }

  #finish(): void {
    this.#moveTo("closed");
    for (const request of this.#requests) request.reject(this.#closedError("request"));
    this.#queue.end();
    this.#calls.abandonAll();
    if (this.#handlers !== undefined) this.#run("close", this.#handlers);
    this.#closed.resolve();
  }

  #busy(action: string, why: string): SocketError {
    return new SocketError("busy", `${action}: ${why}`, { operation: "receive", local: this.#address });
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

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
 * A UDP socket. A datagram arrives complete or not at all, and datagrams can be reordered.
 *
 * Read it in one of two ways. Pull with `receive` or `for await`, from a bounded queue: when it is full, the oldest
 * datagram is dropped and counted in `dropped`. Or receive events with `handle`.
 *
 * The socket is IPv4 or IPv6, like its host. Of the addresses of a name it uses only those of its own family. A socket
 * on `::` without `ipv6Only` is dual-stack: it also sends to IPv4 addresses, and to names that have no IPv6 address. It
 * shows IPv4 addresses as `::ffff:192.0.2.1`. Name lookups are cached for 5 seconds.
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
  /** Requests without an answer, oldest first. */
  readonly #requests = new Set<PendingRequest>();
  readonly #closed = Promise.withResolvers<void>();
  #state: DatagramSocketState = "created";
  #handlers: DatagramHandlers | undefined;
  /** Set with the handlers. */
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

  /** This socket's own address. It does not change when the socket is connected. */
  get address(): UdpAddress {
    return this.#address;
  }

  /** The peer of a connected socket, as an IP address. */
  get remote(): UdpAddress | undefined {
    return this.#link.remote;
  }

  get state(): DatagramSocketState {
    return this.#state;
  }

  /** Number of datagrams that were dropped because the queue was full. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Resolves when the socket is closed. Never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Size of the kernel's receive buffer in bytes, as the kernel reports it. Linux reports twice the requested size,
   * because it adds its own overhead.
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
   * Sends one datagram of at most 65,507 bytes, or 65,527 over IPv6. Resolves when the kernel has it, which does not
   * mean that it arrives. Without `to` the socket must be connected. Yields to the event loop every 32 datagrams.
   *
   * An abort rejects at once, also during the name lookup, and the datagram is not sent. Only a datagram that is just
   * being passed to the kernel may still be sent.
   *
   * @throws {SocketError} `message-too-long` when the data does not fit into a datagram.
   * @throws {SocketError} `name-not-found` when the name has no address of the socket's family.
   * @throws {SocketError} `name-lookup-failed` when the lookup failed for now.
   * @throws {SocketError} `timeout` when `timeoutMs` has passed.
   * @throws {SocketError} `closed` when the socket is closed.
   * @throws {SocketError} `permission` for a broadcast address without `broadcast`.
   * @throws {SocketError} `refused` on a connected socket when the peer refused an earlier datagram.
   * @throws {TypeError} without `to` on a socket that is not connected, or when `to` is not the connected peer.
   * @throws {RangeError} when the port of `to` is not 1 to 65535.
   */
  send(data: Uint8Array | string, to?: UdpAddress, options?: WaitOptions): Promise<void> {
    return this.#sending.send(data, to, options);
  }

  /**
   * Sends one datagram at once, or drops it. Does not report whether the kernel sends it. Returns false when it was
   * dropped:
   *
   * - It is too long.
   * - The socket is closed.
   * - 1,024 datagrams already wait for room in the kernel.
   * - `to` is an address of the other family, or has port 0. The sender of a datagram can have port 0.
   * - `to` is a name that `send` or `request` has not looked up within the last 5 seconds. Use IP addresses.
   * - A connected socket is moving to another address at this moment.
   *
   * @throws {TypeError} as {@link send}, and when `data` is not bytes or text, or `to` has no host.
   * @throws {RangeError} when the port of `to` is not 0 to 65535.
   */
  trySend(data: Uint8Array | string, to?: UdpAddress): boolean {
    return this.#sending.trySend(data, to);
  }

  /**
   * Sends a datagram and waits for the answer, sending again until it arrives.
   *
   * The answer is the next datagram from the peer for which `matches` returns true. All others still go to `receive`,
   * including late answers to earlier attempts. Several requests can run at the same time: a datagram answers the
   * oldest one that it matches. `to` can be left out on a connected socket.
   *
   * Each wait is twice the previous one, varied by up to a quarter, so that all attempts fit into `timeoutMs`. With the
   * defaults of 5,000 ms and 4 attempts the waits are about 333, 667 and 1,333 ms, then the rest. The peer may receive
   * the datagram several times, so the request must be idempotent.
   *
   * @throws {SocketError} `timeout` when no attempt was answered.
   * @throws {SocketError} `closed` when the socket closes.
   * @throws {SocketError} `refused` on a connected socket, as soon as the peer's system reports a closed port. The
   * kernel reports this only to connected sockets: without {@link connect} the result is a `timeout`.
   * @throws {SocketError} as {@link send}, for any attempt.
   * @throws {TypeError} as {@link send}, and for `anySender` without `matches`.
   * @throws {RangeError} when `attempts` is not 1 to 10, or `timeoutMs` is not 0 to 2^31 - 1.
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
   * Waits for the next datagram that is not the answer to a request. A timeout or an abort loses no datagram.
   *
   * @throws {SocketError} `timeout` when `timeoutMs` has passed.
   * @throws {SocketError} `closed` when the socket is closed.
   * @throws {SocketError} `refused` on a connected socket when the peer refused a datagram.
   * @throws {SocketError} `busy` when handlers read the socket.
   */
  receive(options?: WaitOptions): Promise<Datagram> {
    return this.#next((datagram) => {
      if (datagram === undefined) throw this.#closedError("receive");
      return datagram;
    }, options);
  }

  /**
   * Yields datagrams until the socket is closed. Throws as {@link receive}. Leaving the loop leaves the socket open.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    return new PullIterator(() => this.#next(PullIterator.result<Datagram>));
  }

  /**
   * Switches to reading by events. Queued datagrams are delivered first. A later call replaces the handlers.
   *
   * @throws {SocketError} `busy` while `receive` waits.
   * @throws {SocketError} `closed` when the socket is closed.
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
    // One at a time: a handler may close the socket or replace the handlers, which then get the rest.
    while (this.#state === "bound" && this.#handlers === handlers) {
      const datagram = this.#queue.take();
      if (datagram === undefined) break;
      this.#run("datagram", handlers, datagram);
    }
    const error = this.#state === "bound" ? this.#queue.takeError() : undefined;
    if (error !== undefined) this.#reporter.report(error);
  }

  /**
   * Sets the peer, or changes it. `send` then needs no address, and only datagrams of the peer are received. Datagrams
   * that were received before stay in the queue.
   *
   * Nothing is sent. Datagrams of an earlier `send` that still wait for room in the kernel go to the new peer: await
   * `send` first.
   *
   * A closed port shows only after the first datagram. Then the next address of the name, if there is one, gets that
   * datagram and becomes the peer. When the last address refuses too, `send`, `receive` or `request` rejects with
   * `refused`. After an address has answered, the peer does not change again.
   *
   * @throws {SocketError} `name-not-found` when the name has no address of the socket's family.
   * @throws {SocketError} `name-lookup-failed` when the lookup failed for now.
   * @throws {SocketError} `unreachable` when there is no route to the peer.
   * @throws {SocketError} `timeout` when `timeoutMs` has passed. A timeout or an abort does not change the peer.
   * @throws {SocketError} `closed` when the socket is closed.
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

  /**
   * Removes the peer: the socket receives from any address again, and `send` needs an address. Does nothing without a
   * peer.
   *
   * @throws {SocketError} `closed` when the socket is closed.
   */
  async disconnect(): Promise<void> {
    this.#calls.checkOpen("disconnect");
    await this.#link.disconnect();
  }

  /**
   * Joins a multicast group, to receive what is sent to it at this socket's port. Joining a second time does nothing,
   * even with another spelling of the group or interface. Closing the socket leaves the group. Bind the socket to
   * `0.0.0.0` or `::`: on Linux a socket on another address receives no group.
   *
   * @throws {TypeError} when the group is not a multicast address of this socket's family.
   * @throws {SocketError} `address-not-available` when there is no such interface.
   * @throws {SocketError} `system` when the kernel refuses.
   * @throws {SocketError} `closed` when the socket is closed.
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
   * Leaves a multicast group on an interface. Accepts any spelling of the two. Does nothing if the socket has not
   * joined. On Linux a socket on `0.0.0.0` still receives the group while another socket of the machine is a member.
   *
   * @throws {TypeError} when the group is not a multicast address of this socket's family.
   * @throws {SocketError} `system` when the kernel refuses.
   * @throws {SocketError} `closed` when the socket is closed.
   */
  leaveMulticast(group: string, options?: MulticastOptions): void {
    this.#calls.checkOpen("leave");
    this.#groups.leave(group, options);
  }

  /**
   * Closes the socket at once. A pending `receive` or `request` rejects with `closed`, and iteration ends. Idempotent.
   */
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

  /** Lets the process exit while the socket is open. */
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

  /** Calls a handler. An error, now or from its promise, is reported. */
  #run(name: "datagram" | "close", handlers: DatagramHandlers, datagram?: Datagram): void {
    try {
      const result: unknown = handlers[name]?.(this, datagram as Datagram);
      // It may be an async function, which nobody awaits.
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
      // A connected socket may have moved to another address.
      const target = to ?? this.remote;
      if (target === undefined) throw new TypeError("to must be given, as the socket is not connected");
      request.peer = { host: host ?? target.host, port: target.port };
      await this.#sending.transmit(bytes, target, host);
    });
  }

  /** Handles an error that belongs to no call, such as an ICMP error for an earlier datagram. */
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

  /**
   * On a connected socket all requests have the same peer, so all reject. Without requests the handlers or the next
   * `receive` get the error.
   */
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

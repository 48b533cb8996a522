import type dgram from "node:dgram";
import { SocketError } from "../errors.ts";
import type { PendingCalls } from "./pending-calls.ts";
import { canonicalHost, type UdpAddress } from "./udp-address.ts";

/**
 * The one peer of a connected socket. UDP has no handshake: that nobody listens shows after the first datagram, by an
 * ICMP answer. Until the peer has been heard, a refusal moves on to the next address of its name.
 */
export class PeerLink {
  readonly #socket: dgram.Socket;
  readonly #calls: PendingCalls;
  /** Set as soon as the socket is on its way there. */
  #remote: UdpAddress | undefined;
  #isConnected = false;
  /** The addresses to try after a refusal; none once the peer has been heard. */
  #alternates: readonly string[] = [];
  /** The last datagram, kept while there are alternates: the next address gets it in the place of the one that refused. */
  #lastSent: Uint8Array | undefined;
  #moving: Promise<unknown> | undefined;

  constructor(socket: dgram.Socket, calls: PendingCalls) {
    this.#socket = socket;
    this.#calls = calls;
  }

  get remote(): UdpAddress | undefined {
    return this.#remote;
  }

  /** Is there while the socket goes from one address to another; dgram refuses everything in that time. */
  get moving(): Promise<unknown> | undefined {
    return this.#moving;
  }

  /** Takes the first of the addresses that can be connected to. */
  async connect(hosts: readonly string[], to: UdpAddress): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    await this.#move(this.#connectFirst(hosts, to));
  }

  /** Hears and sends to everybody again. */
  async disconnect(): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    this.#calls.checkOpen("disconnect");
    this.#disconnect();
  }

  /** Sends to the peer; a refusal that comes with it is one of an earlier datagram. */
  async send(bytes: Uint8Array): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    const remote = this.#remote;
    if (remote === undefined) throw new TypeError("to must be given, as the socket is not connected");
    if (this.#alternates.length > 0) this.#lastSent = Uint8Array.from(bytes);
    const call = { operation: "send", remote } as const;
    try {
      await this.#calls.run(call, (done) => this.#socket.send(bytes, done));
    } catch (error) {
      if (!(error instanceof SocketError) || error.code !== "refused" || !this.canMoveOn) throw error;
      await this.moveOn();
    }
  }

  /** As {@link send}, where nobody waits for what comes of it. Not while the socket is moving. */
  trySend(bytes: Uint8Array): void {
    if (this.#alternates.length > 0) this.#lastSent = Uint8Array.from(bytes);
    const asked = this.#remote;
    // The kernel tells a refusal to whoever calls next, which may be this; it is old news once another peer is asked.
    this.#socket.send(bytes, (error) => {
      const isRefused = (error as NodeJS.ErrnoException | null)?.code === "ECONNREFUSED";
      if (isRefused && this.#remote === asked) this.#socket.emit("error", error);
    });
  }

  /** A datagram has come. One of the peer's says that the peer is there. */
  heard(from: UdpAddress): void {
    if (!this.canMoveOn || this.#remote === undefined || from.port !== this.#remote.port) return;
    if (canonicalHost(from.host) === canonicalHost(this.#remote.host)) this.#forgetAlternates();
  }

  get canMoveOn(): boolean {
    return this.#alternates.length > 0;
  }

  /** Goes to the next address that can be connected to, and sends it what the one before refused. */
  async moveOn(): Promise<void> {
    const port = this.#remote?.port;
    if (this.#moving !== undefined || port === undefined) return;
    const [host = ""] = this.#alternates;
    const refused = this.#lastSent;
    await this.#move(this.#connectFirst(this.#alternates, { host, port }));
    if (refused === undefined) return;
    // What is told first may be another refusal of the address before.
    await this.send(refused).catch((error: unknown) => {
      if (!(error instanceof SocketError) || error.code !== "refused") throw error;
      return this.send(refused);
    });
  }

  async #move(move: Promise<void>): Promise<void> {
    const moving = move.then(
      () => undefined,
      () => undefined,
    );
    this.#moving = moving;
    try {
      await move;
    } finally {
      if (this.#moving === moving) this.#moving = undefined;
    }
  }

  async #connectFirst(hosts: readonly string[], to: UdpAddress): Promise<void> {
    const call = { operation: "connect", remote: to } as const;
    this.#calls.checkOpen("connect");
    this.#disconnect();
    const errors: SocketError[] = [];
    for (const [index, host] of hosts.entries()) {
      try {
        this.#remote = { host, port: to.port };
        await this.#calls.run(call, (done) => this.#socket.connect(to.port, host, done));
        this.#isConnected = true;
        this.#alternates = hosts.slice(index + 1);
        return;
      } catch (error) {
        if (!(error instanceof SocketError) || error.code === "closed") throw error;
        errors.push(error);
      }
    }
    this.#remote = undefined;
    const [first] = errors;
    if (first === undefined || errors.length === 1) throw first;
    throw new SocketError(first.code, first.message, { ...call, cause: new AggregateError(errors) });
  }

  #disconnect(): void {
    this.#forgetAlternates();
    this.#remote = undefined;
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#socket.disconnect();
  }

  #forgetAlternates(): void {
    this.#alternates = [];
    this.#lastSent = undefined;
  }
}

import type dgram from "node:dgram";
import { SocketError } from "../errors.ts";
import type { PendingCalls } from "./pending-calls.ts";
import { canonicalHost, type UdpAddress } from "./udp-address.ts";

/**
 * The peer of a connected socket. UDP has no handshake: a closed port shows only after the first datagram, by an ICMP
 * error. Until the peer has sent something, a refusal moves on to the next address of its name.
 */
export class PeerLink {
  readonly #socket: dgram.Socket;
  readonly #calls: PendingCalls;
  /** Set when connecting begins. */
  #remote: UdpAddress | undefined;
  #isConnected = false;
  /** Addresses to try after a refusal. Empty once the peer has sent something. */
  #alternates: readonly string[] = [];
  /** The last datagram, kept while there are alternates: the next address gets it after a refusal. */
  #lastSent: Uint8Array | undefined;
  #moving: Promise<unknown> | undefined;

  constructor(socket: dgram.Socket, calls: PendingCalls) {
    this.#socket = socket;
    this.#calls = calls;
  }

  get remote(): UdpAddress | undefined {
    return this.#remote;
  }

  /** Set while the socket moves from one address to another. dgram refuses every call during that time. */
  get moving(): Promise<unknown> | undefined {
    return this.#moving;
  }

  /** Connects to the first address that accepts. */
  async connect(hosts: readonly string[], to: UdpAddress): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    await this.#move(this.#connectFirst(hosts, to));
  }

  /** Removes the peer: the socket can send to and receive from any address again. */
  async disconnect(): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    this.#calls.checkOpen("disconnect");
    this.#disconnect();
  }

  /** Sends to the peer. The kernel may report a refusal of an earlier datagram here. */
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

  /** As {@link send}, without waiting for the result. Must not be called while the socket is moving. */
  trySend(bytes: Uint8Array): void {
    if (this.#alternates.length > 0) this.#lastSent = Uint8Array.from(bytes);
    const asked = this.#remote;
    // The kernel reports a refusal on the next call, which may be this one. Ignore it if the peer has changed since.
    this.#socket.send(bytes, (error) => {
      const isRefused = (error as NodeJS.ErrnoException | null)?.code === "ECONNREFUSED";
      if (isRefused && this.#remote === asked) this.#socket.emit("error", error);
    });
  }

  /** A datagram arrived. If the peer sent it, the peer is alive and the alternates are not needed. */
  heard(from: UdpAddress): void {
    if (!this.canMoveOn || this.#remote === undefined || from.port !== this.#remote.port) return;
    if (canonicalHost(from.host) === canonicalHost(this.#remote.host)) this.#forgetAlternates();
  }

  get canMoveOn(): boolean {
    return this.#alternates.length > 0;
  }

  /** Connects to the next address that accepts, and sends it the refused datagram. */
  async moveOn(): Promise<void> {
    const port = this.#remote?.port;
    if (this.#moving !== undefined || port === undefined) return;
    const [host = ""] = this.#alternates;
    const refused = this.#lastSent;
    await this.#move(this.#connectFirst(this.#alternates, { host, port }));
    if (refused === undefined) return;
    // The first error may be another refusal of the previous address.
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

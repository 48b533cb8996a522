import type dgram from "node:dgram";
import { isIP } from "node:net";
import { formatAddress } from "../address.ts";
import { SocketError } from "../errors.ts";
import { endEarly, refusalOf, type WaitOptions } from "../wait.ts";
import type { NameCache } from "./name-cache.ts";
import type { PeerLink } from "./peer-link.ts";
import { actionOf, type PendingCalls } from "./pending-calls.ts";
import { canonicalHost, checkPeer, type UdpAddress } from "./udp-address.ts";

/** The most that one datagram carries, in bytes: 65,535 without the headers that its own length counts. */
const DATAGRAM_BYTES_MAX = { 4: 65_507, 6: 65_527 } as const;
/** How an IPv6 socket is told an IPv4 address. */
const MAPPED = "::ffff:";
/**
 * After this many sends in a row, the event loop gets its turn. libuv reads at most 32 datagrams of a socket in a turn;
 * with more than that, a loop that sends to a socket of its own process overruns the kernel's buffer (with 64, half of
 * 20,000 datagrams were lost).
 */
const SENDS_PER_TURN = 32;
/** As many datagrams may wait until the kernel has room for them. */
const UNSENT_MAX = 1_024;

/** The sending half of a UDP socket: to the address that is given, or to the peer of its link. */
export class SendSide {
  readonly #socket: dgram.Socket;
  readonly #family: 4 | 6;
  readonly #names: NameCache;
  readonly #link: PeerLink;
  readonly #calls: PendingCalls;
  #sends = 0;

  constructor(socket: dgram.Socket, family: 4 | 6, names: NameCache, link: PeerLink, calls: PendingCalls) {
    this.#socket = socket;
    this.#family = family;
    this.#names = names;
    this.#link = link;
    this.#calls = calls;
  }

  send(data: Uint8Array | string, to: UdpAddress | undefined, options: WaitOptions | undefined): Promise<void> {
    this.#sends += 1;
    const sent = options === undefined ? this.#send(data, to) : this.#sendWaiting(data, to, options);
    return this.#sends % SENDS_PER_TURN === 0 ? sent.then(nextTurn) : sent;
  }

  trySend(data: Uint8Array | string, to: UdpAddress | undefined): boolean {
    try {
      const target = this.targetOf("send", to);
      const bytes = this.#bytesOf(data, target);
      const host = to === undefined ? undefined : this.#names.known(to.host, () => sendingTo(target))?.[0];
      const isUnknown = to !== undefined && host === undefined;
      // A name that was looked up may have turned out to be IPv4.
      if (bytes.length > DATAGRAM_BYTES_MAX[4] && bytes.length > this.#bytesMaxTo(host ?? target.host)) return false;
      if (isUnknown || this.#link.moving !== undefined || this.#socket.getSendQueueCount() >= UNSENT_MAX) return false;
      if (this.#goesToPeer(target, host)) this.#link.trySend(bytes);
      else this.#socket.send(bytes, target.port, host);
      return true;
    } catch (error) {
      if (error instanceof SocketError || (error instanceof RangeError && to?.port === 0)) return false;
      throw error;
    }
  }

  /** What {@link transmit} may be given, for good: the caller may change its own. */
  copyOf(data: Uint8Array | string, target: UdpAddress): Uint8Array {
    return Uint8Array.from(this.#bytesOf(data, target));
  }

  /**
   * Where a datagram goes: to `to`, or to the peer, which is the only one to send to where there is one.
   *
   * @throws {SocketError} `closed`.
   */
  targetOf(operation: string, to: UdpAddress | undefined): UdpAddress {
    this.#calls.checkOpen(operation);
    if (to !== undefined) {
      checkPeer(to);
      return to;
    }
    const { remote } = this.#link;
    if (remote === undefined) throw new TypeError("to must be given, as the socket is not connected");
    return remote;
  }

  /** `host` is the address of the target, left out to send to the peer. Not `async`: it throws at once. */
  transmit(bytes: Uint8Array, target: UdpAddress, host: string | undefined): Promise<void> {
    const { moving } = this.#link;
    if (moving !== undefined) return moving.then(() => this.transmit(bytes, target, host));
    this.#calls.checkOpen("send");
    if (this.#goesToPeer(target, host)) return this.#link.send(bytes);
    return this.#calls.run({ operation: "send", remote: target }, (done) =>
      this.#socket.send(bytes, target.port, host, done),
    );
  }

  /** The addresses of a name; the end of the socket ends the look-up for the caller. */
  async resolve(operation: string, host: string, action: () => string): Promise<readonly string[]> {
    const addresses = await this.#calls.race(operation, this.#names.addresses(host, action));
    this.#calls.checkOpen(operation);
    return addresses;
  }

  /** At once, where no name has to be looked up. Not `async`, as this is the hot path. */
  #send(data: Uint8Array | string, to: UdpAddress | undefined): Promise<void> {
    try {
      const target = this.targetOf("send", to);
      const bytes = this.#bytesOf(data, target);
      if (to === undefined) return this.transmit(bytes, target, undefined);
      const host = this.#names.known(to.host, () => sendingTo(target))?.[0];
      return host === undefined ? this.#sendWaiting(bytes, to, undefined) : this.transmit(bytes, target, host);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #sendWaiting(
    data: Uint8Array | string,
    to: UdpAddress | undefined,
    options: WaitOptions | undefined,
  ): Promise<void> {
    await refusalOf(options);
    const target = this.targetOf("send", to);
    const bytes = this.#bytesOf(data, target);
    const action = (): string => sendingTo(target);
    // Throws for an address that cannot be sent to.
    if (to !== undefined) this.#names.known(to.host, action);
    await endEarly(action, options, async (wait) => {
      const found = to === undefined ? undefined : await this.resolve("send", to.host, action);
      if (!wait.isSettled) await this.transmit(bytes, target, found?.[0]);
    });
  }

  #bytesOf(data: Uint8Array | string, remote: UdpAddress): Uint8Array {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`data must be bytes or text: ${bytes}`);
    // Hardly any is longer, so for most the address need not be looked at.
    if (bytes.length <= DATAGRAM_BYTES_MAX[4]) return bytes;
    const bytesMax = this.#bytesMaxTo(remote.host);
    if (bytes.length <= bytesMax) return bytes;
    throw new SocketError(
      "message-too-long",
      `${sendingTo(remote)}: ${bytes.length} bytes exceed the ${bytesMax} of a datagram`,
      { operation: "send", remote },
    );
  }

  /** The kernel sees to names, whose addresses may be of either family. */
  #bytesMaxTo(host: string): number {
    const isIPv4 = this.#family === 4 || isIP(host) === 4 || canonicalHost(host).startsWith(MAPPED);
    return DATAGRAM_BYTES_MAX[isIPv4 ? 4 : 6];
  }

  /** @throws {TypeError} when it goes to another one than the peer, where there is a peer. */
  #goesToPeer(target: UdpAddress, host: string | undefined): boolean {
    const { remote } = this.#link;
    if (host === undefined) return true;
    if (remote === undefined) return false;
    if (remote.host === host && remote.port === target.port) return true;
    throw new TypeError(`to must be left out, as the socket is connected to ${formatAddress(remote)}`);
  }
}

function sendingTo(remote: UdpAddress): string {
  return actionOf({ operation: "send", remote });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

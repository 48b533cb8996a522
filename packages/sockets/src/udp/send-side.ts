import type dgram from "node:dgram";
import { isIP } from "node:net";
import { formatAddress } from "../address.ts";
import { SocketError } from "../errors.ts";
import { endEarly, refusalOf, type WaitOptions } from "../wait.ts";
import type { NameCache } from "./name-cache.ts";
import type { PeerLink } from "./peer-link.ts";
import { actionOf, type PendingCalls } from "./pending-calls.ts";
import { canonicalHost, checkPeer, type UdpAddress } from "./udp-address.ts";

/** Maximum payload of a datagram, in bytes: 65,535 minus the headers that the length field of each protocol counts. */
const DATAGRAM_BYTES_MAX = { 4: 65_507, 6: 65_527 } as const;
/** Prefix of an IPv4 address on an IPv6 socket. */
const MAPPED = "::ffff:";
/**
 * Sends in a row before yielding to the event loop. libuv reads at most 32 datagrams of a socket per turn. With more
 * sends per turn, a loop that sends to a socket of the same process overruns the kernel's buffer: with 64, half of
 * 20,000 datagrams were lost.
 */
const SENDS_PER_TURN = 32;
/** Maximum number of datagrams that wait for room in the kernel. */
const UNSENT_MAX = 1_024;

/** The sending half of a UDP socket: to a given address, or to the peer of a connected socket. */
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
      // A cached name may have an IPv4 address, which has the lower limit.
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

  /** Returns a copy for {@link transmit}, because the caller may change its bytes. */
  copyOf(data: Uint8Array | string, target: UdpAddress): Uint8Array {
    return Uint8Array.from(this.#bytesOf(data, target));
  }

  /**
   * Returns the destination of a datagram: `to`, or the peer of a connected socket.
   *
   * @throws {SocketError} `closed`.
   * @throws {TypeError} without `to` on a socket that is not connected.
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

  /**
   * Sends a datagram. `host` is the IP address of the target; leave it out for the peer. Not `async`, so that it throws
   * synchronously.
   */
  transmit(bytes: Uint8Array, target: UdpAddress, host: string | undefined): Promise<void> {
    const { moving } = this.#link;
    if (moving !== undefined) return moving.then(() => this.transmit(bytes, target, host));
    this.#calls.checkOpen("send");
    if (this.#goesToPeer(target, host)) return this.#link.send(bytes);
    return this.#calls.run({ operation: "send", remote: target }, (done) =>
      this.#socket.send(bytes, target.port, host, done),
    );
  }

  /** Looks up the addresses of a name. Rejects when the socket closes. */
  async resolve(operation: string, host: string, action: () => string): Promise<readonly string[]> {
    const addresses = await this.#calls.race(operation, this.#names.addresses(host, action));
    this.#calls.checkOpen(operation);
    return addresses;
  }

  /** Sends at once when no lookup is needed. Not `async`, because this is the hot path. */
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
    // Throws for an address of the other family.
    if (to !== undefined) this.#names.known(to.host, action);
    await endEarly(action, options, async (wait) => {
      const found = to === undefined ? undefined : await this.resolve("send", to.host, action);
      if (!wait.isSettled) await this.transmit(bytes, target, found?.[0]);
    });
  }

  #bytesOf(data: Uint8Array | string, remote: UdpAddress): Uint8Array {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`data must be bytes or text: ${bytes}`);
    // Few datagrams are longer, so most need no check of the address.
    if (bytes.length <= DATAGRAM_BYTES_MAX[4]) return bytes;
    const bytesMax = this.#bytesMaxTo(remote.host);
    if (bytes.length <= bytesMax) return bytes;
    throw new SocketError(
      "message-too-long",
      `${sendingTo(remote)}: ${bytes.length} bytes exceed the ${bytesMax} of a datagram`,
      { operation: "send", remote },
    );
  }

  /** A name can have addresses of either family: then the kernel checks the length. */
  #bytesMaxTo(host: string): number {
    const isIPv4 = this.#family === 4 || isIP(host) === 4 || canonicalHost(host).startsWith(MAPPED);
    return DATAGRAM_BYTES_MAX[isIPv4 ? 4 : 6];
  }

  /** @throws {TypeError} when the socket is connected and `to` is not its peer. */
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

import { isIPv6 } from "node:net";
import { bind, SocketError, type UdpAddress, type UdpSocket, type WaitOptions } from "@landline/sockets";
import { CommandFailed } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";

const LF = 0x0a;
/** Help text of `--lines`. */
export const LINES_HELP = "with --udp: send each line as one datagram, without its line feed";
/** The longest payload of UDP over IPv4. */
const DATAGRAM_BYTES_MAX = 65_507;

/**
 * A UDP socket as a {@link Peer}. Each write is one datagram, and each received datagram is one chunk. With `isInLines`,
 * each line is one datagram without its line feed, and each received datagram is one line. An unconnected socket sends to
 * the last sender.
 */
export class UdpPeer implements Peer {
  readonly name: string;
  readonly #socket: UdpSocket;
  readonly #isInLines: boolean;
  readonly #waitMs: number;
  readonly #ending = new AbortController();
  /** Resolves on the first received datagram; at once for a connected socket. */
  readonly #hasSender = Promise.withResolvers<void>();
  #sender: UdpAddress | undefined;
  /** Buffer for an incomplete line. */
  #unsent: Uint8Array = new Uint8Array(0);
  #timer: NodeJS.Timeout | undefined;

  /** `waitMs`: time to read answers after {@link finish}; `Infinity` reads until {@link close}. */
  constructor(socket: UdpSocket, options: { name: string; waitMs: number; isInLines: boolean }) {
    this.#socket = socket;
    this.name = options.name;
    this.#isInLines = options.isInLines;
    this.#waitMs = options.waitMs;
    if (socket.remote !== undefined) this.#hasSender.resolve();
  }

  async write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    if (this.#isInLines) {
      await this.#writeLines(bytes, options);
      return;
    }
    for (let at = 0; at < bytes.length; at += DATAGRAM_BYTES_MAX) {
      await this.#send(bytes.subarray(at, at + DATAGRAM_BYTES_MAX), options);
    }
  }

  async finish(options?: WaitOptions): Promise<void> {
    const last = this.#unsent;
    this.#unsent = new Uint8Array(0);
    if (last.length > 0) await this.#send(last, options);
    if (this.#waitMs !== Number.POSITIVE_INFINITY && this.#socket.state === "bound") {
      this.#timer = setTimeout(() => this.#ending.abort(), this.#waitMs);
    }
  }

  async read({ signal }: WaitOptions): Promise<Uint8Array | null> {
    const ending = this.#ending.signal;
    try {
      const { data, from } = await this.#socket.receive({
        signal: signal === undefined ? ending : AbortSignal.any([signal, ending]),
      });
      this.#sender = from;
      this.#hasSender.resolve();
      return this.#isInLines && data.at(-1) !== LF ? Buffer.concat([data, Uint8Array.of(LF)]) : data;
    } catch (error) {
      if (ending.aborted && error === ending.reason) return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#hasSender.resolve();
    await this.#socket.close();
  }

  async #writeLines(bytes: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    let rest: Uint8Array = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    for (let at = rest.indexOf(LF); at !== -1; at = rest.indexOf(LF)) {
      await this.#send(rest.subarray(0, at), options);
      rest = rest.subarray(at + 1);
    }
    if (rest.length > DATAGRAM_BYTES_MAX) {
      throw new CommandFailed(`Cannot send a line of more than ${DATAGRAM_BYTES_MAX} bytes in a datagram`);
    }
    this.#unsent = rest;
  }

  async #send(data: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    await this.#hasSender.promise;
    if (this.#socket.state === "bound") await this.#socket.send(data, this.#sender, options);
  }
}

/** Opens a socket connected to one address. `timeoutMs` limits the name lookup. */
export async function connectUdp(to: UdpAddress, options: WaitOptions = {}): Promise<UdpSocket> {
  const socket = await bind({ host: isIPv6(to.host) ? "::" : "0.0.0.0" });
  try {
    await socket.connect(to, options);
    return socket;
  } catch (error) {
    await socket.close();
    if (!(error instanceof SocketError) || error.code !== "name-not-found" || isIPv6(to.host)) throw error;
  }
  // The name may have IPv6 addresses only.
  const socket6 = await bind({ host: "::" });
  try {
    await socket6.connect(to, options);
    return socket6;
  } catch (error) {
    await socket6.close();
    throw error;
  }
}

import { isIPv6 } from "node:net";
import { bind, SocketError, type UdpAddress, type UdpSocket, type WaitOptions } from "@landline/sockets";
import { CommandFailed } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";

const LF = 0x0a;
/** What `--lines` does, for the help of a command. */
export const LINES_HELP = "with --udp: each line is a datagram, without its line feed, as at a terminal";
/** The longest payload of UDP over IPv4. */
const DATAGRAM_BYTES_MAX = 65_507;

/**
 * The other end of UDP: each write is one datagram, and each datagram read is one chunk. In lines, each line written is
 * one datagram, without its line feed, and each datagram read is one line. A socket that is not connected answers whoever
 * sent last.
 */
export class UdpPeer implements Peer {
  readonly name: string;
  readonly #socket: UdpSocket;
  readonly #isInLines: boolean;
  readonly #waitMs: number;
  readonly #ending = new AbortController();
  /** Resolves with the first sender; for a connected socket at once. */
  readonly #hasSender = Promise.withResolvers<void>();
  #sender: UdpAddress | undefined;
  /** The beginning of a line whose end is not there yet. */
  #unsent: Uint8Array = new Uint8Array(0);
  #timer: NodeJS.Timeout | undefined;

  /** After {@link finish}, answers are awaited for `waitMs` more; `Infinity`: until it is closed. */
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

/** Opens a socket that sends to one address and hears from it alone. The name is looked up within `timeoutMs`. */
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

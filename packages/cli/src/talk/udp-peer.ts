import { isIPv6 } from "node:net";
import { bind, SocketError, type UdpAddress, type UdpSocket, type WaitOptions } from "@landline/sockets";
import type { Peer } from "./peer.ts";

const LF = 0x0a;

/**
 * The other end of UDP, in lines: each line written is one datagram, each datagram read is one line. A socket that is
 * not connected answers whoever sent last.
 */
export class UdpPeer implements Peer {
  readonly name: string;
  readonly #socket: UdpSocket;
  readonly #waitMs: number;
  readonly #ending = new AbortController();
  /** Resolves with the first sender; for a connected socket at once. */
  readonly #hasSender = Promise.withResolvers<void>();
  #sender: UdpAddress | undefined;
  /** The beginning of a line whose end is not there yet. */
  #unsent: Uint8Array = new Uint8Array(0);
  #timer: NodeJS.Timeout | undefined;

  /** After {@link finish}, answers are awaited for `waitMs` more; `Infinity`: until it is closed. */
  constructor(socket: UdpSocket, options: { name: string; waitMs: number }) {
    this.#socket = socket;
    this.name = options.name;
    this.#waitMs = options.waitMs;
    if (socket.remote !== undefined) this.#hasSender.resolve();
  }

  async write(bytes: Uint8Array): Promise<void> {
    let rest: Uint8Array = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    for (let at = rest.indexOf(LF); at !== -1; at = rest.indexOf(LF)) {
      await this.#send(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
    }
    this.#unsent = rest;
  }

  finish(): void {
    const last = this.#unsent;
    this.#unsent = new Uint8Array(0);
    // Its error, if there is one, comes with the next read as well.
    if (last.length > 0) this.#send(last).catch(() => undefined);
    if (this.#waitMs !== Number.POSITIVE_INFINITY) {
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
      return data.at(-1) === LF ? data : Buffer.concat([data, Uint8Array.of(LF)]);
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

  async #send(line: Uint8Array): Promise<void> {
    await this.#hasSender.promise;
    if (this.#socket.state === "bound") await this.#socket.send(line, this.#sender);
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

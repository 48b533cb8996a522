import { checkTimeout, Wait } from "../wait.ts";
import { backOff } from "./back-off.ts";
import type { Datagram } from "./datagram.ts";
import { canonicalHost, type UdpAddress } from "./udp-address.ts";

/** Maximum number of attempts. With more, they would follow each other faster than an answer can arrive. */
const ATTEMPTS_MAX = 10;

/** Options for {@link UdpSocket.request}. */
export interface RequestOptions {
  /** Aborts the request: it rejects with the signal's reason, and nothing more is sent. */
  readonly signal?: AbortSignal | undefined;
  /** Time limit for the name lookup and all attempts, in milliseconds. `Infinity` is refused. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Maximum number of times the datagram is sent, 1 to 10. @default 4 */
  readonly attempts?: number | undefined;
  /**
   * Decides whether a datagram from the peer is the answer, for example by an id in it. Without it the next datagram
   * from the peer is the answer. An exception rejects the request.
   */
  readonly matches?: ((datagram: Datagram) => boolean) | undefined;
  /**
   * Passes datagrams of all senders to `matches`, which is then required. For a request to a broadcast address or a
   * multicast group, whose members answer from their own addresses.
   *
   * @default false
   */
  readonly anySender?: boolean | undefined;
}

/**
 * A request that is sent again until an answer, the deadline, an abort or the end of the socket. Settling stops its
 * timer.
 */
export class PendingRequest {
  readonly #wait: Wait<Datagram>;
  readonly #matches: ((datagram: Datagram) => boolean) | undefined;
  readonly #anySender: boolean;
  readonly #waitsMs: readonly number[];
  readonly #settled: () => void;
  #peer: UdpAddress | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isSettled = false;

  /** `settled` is called once, on every outcome. */
  constructor(options: RequestOptions, action: () => string, settled: () => void) {
    const { signal, timeoutMs = 5_000, attempts = 4, matches, anySender = false } = options;
    checkTimeout(timeoutMs);
    if (timeoutMs === Number.POSITIVE_INFINITY) throw new RangeError("timeoutMs of a request must be finite");
    if (!Number.isInteger(attempts) || attempts < 1 || attempts > ATTEMPTS_MAX) {
      throw new RangeError(`attempts must be 1 to ${ATTEMPTS_MAX}: ${attempts}`);
    }
    if (anySender && matches === undefined) throw new TypeError("matches must be given with anySender");
    this.#matches = matches;
    this.#anySender = anySender;
    this.#waitsMs = backOff(timeoutMs, attempts);
    this.#settled = settled;
    this.#wait = new Wait<Datagram>({ signal, timeoutMs }, action, () => this.#settle());
  }

  get answer(): Promise<Datagram> {
    return this.#wait.promise;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Sets the peer. From now on its datagrams can be the answer. */
  set peer(peer: UdpAddress) {
    this.#peer = peer;
  }

  /** Calls `send` now and after each wait of the back-off. A rejection of `send` rejects the request. */
  start(send: () => Promise<void>): void {
    const attempt = (index: number): void => {
      if (this.#isSettled) return;
      const waitMs = this.#waitsMs[index];
      if (waitMs !== undefined) this.#timer = setTimeout(() => attempt(index + 1), waitMs);
      send().catch((error: unknown) => this.reject(error));
    };
    attempt(0);
  }

  /**
   * Takes the datagram if it is the answer, and returns whether it was. `remote` is the current peer of a connected
   * socket, which may have moved to another address.
   */
  take(datagram: Datagram, remote: UdpAddress | undefined): boolean {
    if (this.#peer === undefined) return false;
    const peer = remote ?? this.#peer;
    const { host, port } = datagram.from;
    const isPeer = port === peer.port && canonicalHost(host) === canonicalHost(peer.host);
    if (!isPeer && !this.#anySender) return false;
    try {
      if (this.#matches !== undefined && !this.#matches(datagram)) return false;
    } catch (error) {
      this.reject(error);
      return false;
    }
    this.#settle();
    this.#wait.resolve(datagram);
    return true;
  }

  reject(error: unknown): void {
    this.#settle();
    this.#wait.reject(error);
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#settled();
  }
}

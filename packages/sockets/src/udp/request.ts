import { checkTimeout, Wait } from "../wait.ts";
import { backOff } from "./back-off.ts";
import type { Datagram } from "./datagram.ts";
import { canonicalHost, type UdpAddress } from "./udp-address.ts";

/** The most attempts of a request. More would follow one another faster than any answer could come. */
const ATTEMPTS_MAX = 10;

/** How {@link UdpSocket.request} asks, and which datagram answers. */
export interface RequestOptions {
  /** Rejects with the signal's reason when it aborts; nothing more is sent. */
  readonly signal?: AbortSignal | undefined;
  /** One deadline for the name look-up and all attempts, in milliseconds; `Infinity` is refused. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** How often the datagram is sent at most: 1 to 10. @default 4 */
  readonly attempts?: number | undefined;
  /**
   * Tells the answer among the datagrams of the peer, by an id in it for example. Without it the next one is the
   * answer. What it throws rejects the request.
   */
  readonly matches?: ((datagram: Datagram) => boolean) | undefined;
  /**
   * Shows `matches`, which must be there, the datagrams of all senders: for a request to a broadcast address or a
   * multicast group, whose members answer from their own addresses.
   *
   * @default false
   */
  readonly anySender?: boolean | undefined;
}

/**
 * One request: it repeats its sending until an answer, the deadline, an abort or the end of the socket. Settling stops
 * its timer.
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

  /** `settled` is called once, whatever the end. */
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

  /** From now on its datagrams can be the answer. */
  set peer(peer: UdpAddress) {
    this.#peer = peer;
  }

  /** Calls `send` now and again after each wait of the back-off. A rejection of it rejects the request. */
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
   * Whether the datagram was the answer; then it is nobody else's. On a connected socket its `remote` is who was asked,
   * as it may have moved on to another address.
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

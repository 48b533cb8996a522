import type { Address } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/** An address gets this much of a start before the next one is tried too (RFC 8305, section 5), in milliseconds. */
const ATTEMPT_DELAY_MS = 250;

/** Begins one attempt; the connection is still connecting. */
export type Attempt = (address: Address) => { connection: Connection; connected: Promise<void> };

/**
 * Tries the addresses of one host, the next one when the last one failed or has not succeeded for 250 ms, and takes the
 * first connection that is established ("Happy Eyeballs"). The others are broken off.
 */
export class ConnectRace {
  readonly #action: string;
  readonly #attempt: Attempt;
  readonly #waiting: Address[];
  readonly #running = new Set<Connection>();
  readonly #errors: SocketError[] = [];
  readonly #winner = Promise.withResolvers<Connection>();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(addresses: readonly Address[], action: string, attempt: Attempt) {
    this.#waiting = [...addresses];
    this.#action = action;
    this.#attempt = attempt;
  }

  /**
   * Resolves to the connection that won.
   *
   * @throws {SocketError} when all attempts failed; its cause has one error per address.
   */
  run(): Promise<Connection> {
    this.#next();
    return this.#winner.promise;
  }

  /** Breaks all attempts off; {@link run} then never settles. */
  cancel(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    for (const connection of this.#running) connection.reset();
    this.#running.clear();
  }

  #next(): void {
    clearTimeout(this.#timer);
    const address = this.#waiting.shift();
    if (address === undefined) return;
    const { connection, connected } = this.#attempt(address);
    this.#running.add(connection);
    connected.then(
      () => this.#succeeded(connection),
      (error) => this.#failed(connection, error),
    );
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#next(), ATTEMPT_DELAY_MS);
  }

  #succeeded(connection: Connection): void {
    if (this.#isOver) return;
    this.#running.delete(connection);
    this.cancel();
    this.#winner.resolve(connection);
  }

  #failed(connection: Connection, error: unknown): void {
    if (this.#isOver) return;
    this.#running.delete(connection);
    if (!(error instanceof SocketError)) {
      // A wrong argument is wrong for every address.
      this.cancel();
      this.#winner.reject(error);
      return;
    }
    this.#errors.push(error);
    if (this.#waiting.length > 0) this.#next();
    else if (this.#running.size === 0) this.#winner.reject(this.#allFailed());
  }

  /** One address's error is the whole story; of several the first one's code and text, and all of them as the cause. */
  #allFailed(): SocketError {
    const [first] = this.#errors as [SocketError, ...SocketError[]];
    if (this.#errors.length === 1) return first;
    return new SocketError(first.code, first.message, {
      operation: "connect",
      cause: new AggregateError(this.#errors, `${this.#action}: no address answered`),
      ...(first.remote === undefined ? {} : { remote: first.remote }),
    });
  }
}

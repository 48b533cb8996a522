import type { Address } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/** Delay before the next attempt starts in parallel (RFC 8305, section 5), in milliseconds. */
const ATTEMPT_DELAY_MS = 250;

/** Starts one attempt. The connection is still connecting. */
export type Attempt = (address: Address) => { connection: Connection; connected: Promise<void> };

/**
 * Tries the addresses of one host and takes the first connection that is established ("Happy Eyeballs"). The next
 * attempt starts when the previous one failed or after 250 ms. The losing attempts are reset.
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
   * Resolves to the first established connection.
   *
   * @throws {SocketError} when all attempts failed. With several addresses `cause` has one error per address.
   */
  run(): Promise<Connection> {
    this.#next();
    return this.#winner.promise;
  }

  /** Resets all attempts. {@link run} then never settles. */
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
      // Wrong arguments fail for every address.
      this.cancel();
      this.#winner.reject(error);
      return;
    }
    this.#errors.push(error);
    if (this.#waiting.length > 0) this.#next();
    else if (this.#running.size === 0) this.#winner.reject(this.#allFailed());
  }

  /** A single error is returned as it is. Several are combined: code and text of the first, and all as the cause. */
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

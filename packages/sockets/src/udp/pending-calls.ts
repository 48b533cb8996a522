import { formatAddress } from "../address.ts";
import { fromNodeError, type SocketError } from "../errors.ts";
import type { UdpAddress } from "./udp-address.ts";

/** What was asked of dgram, for the text and the facts of its error. */
export interface Call {
  readonly operation: "send" | "connect";
  readonly remote: UdpAddress;
}

/** `Cannot send to 127.0.0.1:8081`: made when it is needed, as most calls succeed. */
export function actionOf({ operation, remote }: Call): string {
  return `Cannot ${operation} to ${formatAddress(remote)}`;
}

/** How dgram says what came of a call. */
type Done = (error?: Error | null) => void;

interface Pending {
  readonly operation: string;
  readonly reject: (error: SocketError | undefined) => void;
}

/** The calls of a socket that run. None outlives the socket. */
export class PendingCalls {
  readonly #closedError: (operation: string) => SocketError | undefined;
  readonly #pending = new Set<Pending>();

  /** `closedError` gives an error once the socket is closing. */
  constructor(closedError: (operation: string) => SocketError | undefined) {
    this.#closedError = closedError;
  }

  /** @throws {SocketError} `closed` once the socket is closing. */
  checkOpen(operation: string): void {
    const error = this.#closedError(operation);
    if (error !== undefined) throw error;
  }

  /** A call of dgram's. On a bound socket that is given addresses, not names, it calls back whatever happens. */
  run(call: Call, start: (done: Done) => void): Promise<void> {
    this.checkOpen(call.operation);
    return new Promise((resolve, reject) => {
      start((error) => {
        if (error === undefined || error === null) resolve();
        else reject(this.#closedError(call.operation) ?? fromNodeError(error, actionOf(call), { ...call }));
      });
    });
  }

  /** Something else that the end of the socket rejects as well. */
  async race<T>(operation: string, work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const pending = { operation, reject };
    this.#pending.add(pending);
    try {
      return await Promise.race([work, promise]);
    } finally {
      this.#pending.delete(pending);
    }
  }

  /** The socket is closed. */
  abandonAll(): void {
    for (const { operation, reject } of this.#pending) reject(this.#closedError(operation));
    this.#pending.clear();
  }
}

import { formatAddress } from "../address.ts";
import { fromNodeError, type SocketError } from "../errors.ts";
import type { UdpAddress } from "./udp-address.ts";

/** A call of dgram, for its error text and fields. */
export interface Call {
  readonly operation: "send" | "connect";
  readonly remote: UdpAddress;
}

/** Returns the start of an error text, such as `Cannot send to 127.0.0.1:8081`. Called only on errors. */
export function actionOf({ operation, remote }: Call): string {
  return `Cannot ${operation} to ${formatAddress(remote)}`;
}

/** The callback of a dgram call. */
type Done = (error?: Error | null) => void;

interface Pending {
  readonly operation: string;
  readonly reject: (error: SocketError | undefined) => void;
}

/** The running calls of a socket. All settle when the socket closes. */
export class PendingCalls {
  readonly #closedError: (operation: string) => SocketError | undefined;
  readonly #pending = new Set<Pending>();

  /** `closedError` returns an error once the socket is closing. */
  constructor(closedError: (operation: string) => SocketError | undefined) {
    this.#closedError = closedError;
  }

  /** @throws {SocketError} `closed` when the socket is closing. */
  checkOpen(operation: string): void {
    const error = this.#closedError(operation);
    if (error !== undefined) throw error;
  }

  /** Runs a dgram call. On a bound socket with IP addresses (no names) dgram always calls back. */
  run(call: Call, start: (done: Done) => void): Promise<void> {
    this.checkOpen(call.operation);
    return new Promise((resolve, reject) => {
      start((error) => {
        if (error === undefined || error === null) resolve();
        else reject(this.#closedError(call.operation) ?? fromNodeError(error, actionOf(call), { ...call }));
      });
    });
  }

  /** Runs other work, which also rejects when the socket closes. */
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

  /** Rejects all calls: the socket is closed. */
  abandonAll(): void {
    for (const { operation, reject } of this.#pending) reject(this.#closedError(operation));
    this.#pending.clear();
  }
}

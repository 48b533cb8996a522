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

interface Pending {
  readonly operation: string;
  readonly reject: (error: SocketError) => void;
}

/** The calls of dgram's that run. Closing settles them too, as dgram then forgets the callbacks of what has not begun. */
export class PendingCalls {
  /** Throws once the socket is closing. */
  readonly checkOpen: (operation: string) => void;
  readonly #pending = new Set<Pending>();

  constructor(checkOpen: (operation: string) => void) {
    this.checkOpen = checkOpen;
  }

  /** Throws at once where the socket is closing. */
  run(call: Call, start: (done: (error?: Error | null) => void) => void): Promise<void> {
    this.checkOpen(call.operation);
    return new Promise((resolve, reject) => {
      const pending = { operation: call.operation, reject };
      start((error) => {
        this.#pending.delete(pending);
        if (error === undefined || error === null) resolve();
        else reject(fromNodeError(error, actionOf(call), { ...call }));
      });
      this.#pending.add(pending);
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

  abandonAll(errorFor: (operation: string) => SocketError): void {
    for (const { operation, reject } of this.#pending) reject(errorFor(operation));
    this.#pending.clear();
  }
}

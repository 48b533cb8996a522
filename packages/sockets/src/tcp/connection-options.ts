import type { Socket } from "node:net";
import type { Address } from "../address.ts";
import { checkTimeout } from "../wait.ts";
import type { Connection } from "./connection.ts";

/** Limits of a connection: how many bytes it buffers, and how long it waits to send and to close, in milliseconds. */
export interface ConnectionOptions {
  /**
   * Stops reading from the socket while at least this many bytes are buffered and no read is waiting.
   *
   * @default 65536
   */
  readonly readHighWaterMark?: number | undefined;
  /** `write` waits while at least this many bytes are buffered. At least 1. @default 65536 */
  readonly writeHighWaterMark?: number | undefined;
  /** A waiting `write` continues when no more than this many bytes are buffered. @default 32768 */
  readonly writeLowWaterMark?: number | undefined;
  /**
   * How long `close()` waits without progress: first for its own bytes to be sent, then for the peer's FIN.
   *
   * @default 2000
   */
  readonly lingerMs?: number | undefined;
  /**
   * Breaks the connection with a `timeout` error when bytes are buffered and none was sent for this long, or up to a
   * quarter longer; 0 for never. Bytes that the kernel has taken count as sent; how long the kernel retries is its own
   * setting (`tcp_retries2` on Linux). The limit still applies to a socket after `detach`, and then resets it.
   *
   * @default never
   */
  readonly sendTimeoutMs?: number | undefined;
}

/** What is known about a stream that becomes a connection. */
export interface ConnectionOrigin {
  readonly local?: Address | undefined;
  readonly remote?: Address | undefined;
  /** The host name that {@link connect} was given, for {@link Connection.startTls}. */
  readonly host?: string;
  /** The TCP socket below a TLS stream. */
  readonly below?: Socket;
  /** The server that accepted the connection. */
  readonly keeper?: ConnectionKeeper;
}

/** The server that a connection belongs to. */
export interface ConnectionKeeper {
  /** A handler of the connection failed. */
  report(error: Error): void;
  /** The connection is closed. */
  gone(connection: Connection): void;
}

/** @throws {RangeError} when a time is not 0 to 2^31 - 1 or `Infinity`, or a mark is out of range. */
export function checkConnectionOptions(options: ConnectionOptions): void {
  const { readHighWaterMark = 0, writeHighWaterMark = 1, writeLowWaterMark = 0 } = options;
  checkTimeout(options.lingerMs ?? 0, "lingerMs");
  checkTimeout(options.sendTimeoutMs ?? 0, "sendTimeoutMs");
  if (!(readHighWaterMark >= 0)) throw new RangeError(`readHighWaterMark must be 0 or more: ${readHighWaterMark}`);
  if (!(writeHighWaterMark >= 1)) throw new RangeError(`writeHighWaterMark must be 1 or more: ${writeHighWaterMark}`);
  if (!(writeLowWaterMark >= 0)) throw new RangeError(`writeLowWaterMark must be 0 or more: ${writeLowWaterMark}`);
}

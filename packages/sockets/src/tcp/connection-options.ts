import type { Socket } from "node:net";
import type { Address } from "../address.ts";
import { checkTimeout } from "../wait.ts";
import type { Connection } from "./connection.ts";

/** How much a connection stores, in bytes, and how long it takes to close, in milliseconds. */
export interface ConnectionOptions {
  /** Stop reading from the socket while this many bytes are stored and nobody reads them. @default 65536 */
  readonly readHighWaterMark?: number | undefined;
  /** Writing waits above this many buffered bytes. @default 65536 */
  readonly writeHighWaterMark?: number | undefined;
  /** Writing goes on at this many. @default 32768 */
  readonly writeLowWaterMark?: number | undefined;
  /** How long `close()` waits without progress: for its own bytes to leave, then for the peer's end. @default 2000 */
  readonly lingerMs?: number | undefined;
  /**
   * Break the connection with a `timeout` error when bytes wait to be sent and none has left for this long, or up to a
   * quarter longer; 0 is never. What the kernel has taken counts as sent: how long it tries on is the kernel's setting
   * (`tcp_retries2` on Linux). A socket that was given away by `detach` is held to it too, and reset. @default never
   */
  readonly sendTimeoutMs?: number | undefined;
}

/** What is known of a stream that becomes a connection. */
export interface ConnectionOrigin {
  readonly local?: Address | undefined;
  readonly remote?: Address | undefined;
  /** The name that was connected to, for {@link Connection.startTls}. */
  readonly host?: string;
  /** The TCP socket below, where the stream is TLS. */
  readonly below?: Socket;
  /** Who has accepted it. */
  readonly keeper?: ConnectionKeeper;
}

/** The server that a connection belongs to. */
export interface ConnectionKeeper {
  /** A handler of the connection failed. */
  report(error: Error): void;
  /** The connection is closed. */
  gone(connection: Connection): void;
}

/** @throws {RangeError} when an option is no time, or a mark that would hold nothing back or let nothing through. */
export function checkConnectionOptions(options: ConnectionOptions): void {
  const { readHighWaterMark = 0, writeHighWaterMark = 1, writeLowWaterMark = 0 } = options;
  checkTimeout(options.lingerMs ?? 0, "lingerMs");
  checkTimeout(options.sendTimeoutMs ?? 0, "sendTimeoutMs");
  if (!(readHighWaterMark >= 0)) throw new RangeError(`readHighWaterMark must be 0 or more: ${readHighWaterMark}`);
  if (!(writeHighWaterMark >= 1)) throw new RangeError(`writeHighWaterMark must be 1 or more: ${writeHighWaterMark}`);
  if (!(writeLowWaterMark >= 0)) throw new RangeError(`writeLowWaterMark must be 0 or more: ${writeLowWaterMark}`);
}

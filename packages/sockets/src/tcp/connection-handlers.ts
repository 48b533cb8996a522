import type { SocketError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/**
 * What a connection that is read by events calls. One object can serve many connections.
 *
 * A handler that throws, or whose promise rejects, breaks its own connection with that error; the process goes on.
 */
export interface ConnectionHandlers {
  /** The connection is established ({@link serve} only). */
  open?(connection: Connection): void;
  /** Bytes arrived. They are valid as long as they are referenced. */
  data?(connection: Connection, chunk: Uint8Array): void;
  /** There is room again after {@link Connection.send} returned false. */
  drain?(connection: Connection): void;
  /** The peer finished. Without this handler our side finishes too, once all is flushed. */
  end?(connection: Connection): void;
  /** The connection is gone; `error` is why, where it did not end in peace. */
  close?(connection: Connection, error: SocketError | undefined): void;
  /** How many of the bytes that arrived are not used yet; {@link Connection.startTls} is refused then. @default 0 */
  unreadBytes?(connection: Connection): number;
  /** @internal This side closes or resets the connection: reads of the handlers reject with this error from now on. */
  closing?(error: () => SocketError): void;
  /**
   * @internal Others read the connection from now on: returns the bytes that are not used yet. A read that waits rejects
   * with `closed`, or is `busy` where that is not given.
   *
   * @throws {SocketError} `busy`: nothing has changed then.
   */
  leave?(action: string, closed: (() => SocketError) | undefined): Uint8Array;
}

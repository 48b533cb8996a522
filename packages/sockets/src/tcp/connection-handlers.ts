import type { SocketError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/**
 * Event handlers of a connection. One object can serve many connections.
 *
 * A handler that throws, or whose promise rejects, breaks its own connection with that error. The process continues.
 */
export interface ConnectionHandlers {
  /** The connection is established. Only {@link serve} calls it. */
  open?(connection: Connection): void;
  /** Bytes arrived. The memory is not reused: `chunk` stays valid as long as you keep it. */
  data?(connection: Connection, chunk: Uint8Array): void;
  /** There is room for writing again after {@link Connection.send} returned false. */
  drain?(connection: Connection): void;
  /** The peer finished its side. Without this handler our side finishes too, after everything is flushed. */
  end?(connection: Connection): void;
  /** The connection is closed. `error` is the reason, or `undefined` after a normal end. */
  close?(connection: Connection, error: SocketError | undefined): void;
  /**
   * Number of received bytes that the handlers have not consumed. Above 0, {@link Connection.startTls} is refused.
   *
   * @default 0
   */
  unreadBytes?(connection: Connection): number;
  /**
   * @internal This side closes or resets the connection. Pending and later reads of the handlers reject with this
   * error.
   */
  closing?(error: () => SocketError): void;
  /**
   * @internal Another reader takes over: returns the bytes that are not consumed yet. A pending read rejects with
   * `closed`; without `closed` it makes this throw `busy`.
   *
   * @throws {SocketError} `busy`. Nothing has changed then.
   */
  leave?(action: string, closed: (() => SocketError) | undefined): Uint8Array;
}

import type { SocketError } from "../errors.ts";
import type { Datagram } from "./datagram.ts";
import type { UdpSocket } from "./udp-socket.ts";

/**
 * Event handlers of a UDP socket.
 *
 * When a handler throws or its promise rejects, `error` is called. The socket stays open, because it serves other peers
 * too.
 */
export interface DatagramHandlers {
  /** A datagram arrived that is not the answer to a request. Its memory is not reused. */
  datagram(socket: UdpSocket, datagram: Datagram): void;
  /**
   * An error that belongs to no call. On a connected socket: `refused` for an earlier datagram. After a failed handler:
   * `system`, with its error as the `cause`.
   *
   * @default a process warning, at most one per second
   */
  error?(socket: UdpSocket, error: SocketError): void;
  /** The socket is closed. */
  close?(socket: UdpSocket): void;
}

import type { SocketError } from "../errors.ts";
import type { Datagram } from "./datagram.ts";
import type { UdpSocket } from "./udp-socket.ts";

/**
 * What a UDP socket that is read by events calls.
 *
 * A handler that throws, or whose promise rejects, is told to `error`; the socket goes on, as it serves others too.
 */
export interface DatagramHandlers {
  /** A datagram arrived that answers no request. It is valid as long as it is referenced. */
  datagram(socket: UdpSocket, datagram: Datagram): void;
  /**
   * An error that belongs to no call: on a connected socket `refused` when an earlier datagram was; what a handler threw,
   * as `system` with its `cause`.
   *
   * @default a process warning, at most one a second
   */
  error?(socket: UdpSocket, error: SocketError): void;
  /** The socket is closed. */
  close?(socket: UdpSocket): void;
}

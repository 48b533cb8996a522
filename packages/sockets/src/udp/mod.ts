export { bind } from "./bind.ts";
export type { Datagram } from "./datagram.ts";
export { type UdpAddress, UdpSocket, type UdpSocketOptions } from "./udp-socket.ts";

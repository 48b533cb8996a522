export { bind } from "./bind.ts";
export type { Datagram } from "./datagram.ts";
export type { DatagramHandlers } from "./datagram-handlers.ts";
export type { MulticastOptions } from "./multicast.ts";
export type { RequestOptions } from "./request.ts";
export type { UdpAddress } from "./udp-address.ts";
export type { UdpSocketOptions } from "./udp-options.ts";
export { UdpSocket } from "./udp-socket.ts";

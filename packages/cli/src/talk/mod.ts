export { Callers } from "./callers.ts";
export type { Peer } from "./peer.ts";
export { isInteractive, talk } from "./talk.ts";
export { LINGER_MS, TcpPeer } from "./tcp-peer.ts";
export { connectUdp, LINES_HELP, UdpPeer } from "./udp-peer.ts";

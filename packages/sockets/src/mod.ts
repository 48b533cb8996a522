/**
 * Sockets for TypeScript: TCP and UDP with promises or event handlers, framing, deadlines. HTTP is in
 * `@landline/sockets/http`, test tools are in `@landline/sockets/testing`.
 *
 * @module
 */
export { type Address, formatAddress } from "./address.ts";
export * from "./codec/mod.ts";
export { SocketError, type SocketErrorCode, type SocketErrorFields } from "./errors.ts";
export { isPublicAddress } from "./public-address.ts";
export {
  type ConnectionState,
  type DatagramSocketState,
  type ListenerState,
  STATE_CHANNELS,
  type StateChange,
} from "./state.ts";
export * from "./tcp/mod.ts";
export * from "./udp/mod.ts";
export type { WaitOptions } from "./wait.ts";
export { type WebStreams, webStreams } from "./web-streams.ts";

export { type ConnectOptions, connect } from "./connect.ts";
export {
  Connection,
  type ConnectionHandlers,
  type ConnectionOptions,
  type ConnectionOrigin,
  type DetachedSocket,
} from "./connection.ts";
export { listen } from "./listen.ts";
export { Listener } from "./listener.ts";
export { serve } from "./serve.ts";
export { type ConnectionHandler, Server, type ShutdownCounts } from "./server.ts";
export type { ListenOptions } from "./server-sockets.ts";
export type { TlsClientOptions } from "./tls-client.ts";
export type { WriteData } from "./write-side.ts";

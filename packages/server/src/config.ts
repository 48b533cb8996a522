/** Every setting of the server. */
export interface ServerConfig {
  /** Where it listens; `localhost` is both loopback addresses. @default "localhost" */
  readonly host: string;
  /** 0 takes a free port. @default 8083 */
  readonly port: number;
  /** Names under which browsers reach the server, beside addresses and localhost. @default none */
  readonly hosts: readonly string[];
  /** Connections open at once; those above are dropped. @default 10000 */
  readonly connectionsMax: number;
  /** How long the first bytes of a connection are awaited before it is welcomed, in milliseconds. @default 250 */
  readonly silentMs: number;
  /** How long closing waits for clients to go, in milliseconds. @default 5000 */
  readonly drainMs: number;
}

export const DEFAULT_CONFIG: ServerConfig = {
  host: "localhost",
  port: 8083,
  hosts: [],
  connectionsMax: 10_000,
  silentMs: 250,
  drainMs: 5_000,
};

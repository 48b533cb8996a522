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
  /**
   * How long a connection may be silent before it is taken for a client that waits for the welcome, in milliseconds.
   * Browsers open connections early and use them later; a welcome on such a connection spoils it. @default 2000
   */
  readonly silentMs: number;
  /** How long a client that has begun to speak may leave it open what it speaks, in milliseconds. @default 250 */
  readonly sniffMs: number;
  /** How long an HTTP client may take for the head of a request, in milliseconds. @default 10000 */
  readonly headersTimeoutMs: number;
  /** How long closing waits for clients to go, in milliseconds. @default 5000 */
  readonly drainMs: number;
}

export const DEFAULT_CONFIG: ServerConfig = {
  host: "localhost",
  port: 8083,
  hosts: [],
  connectionsMax: 10_000,
  silentMs: 2_000,
  sniffMs: 250,
  headersTimeoutMs: 10_000,
  drainMs: 5_000,
};

/** Where a client's bytes go. A gateway implements it for its kind of connection. */
export interface Link {
  /** The peer's IP address; empty where it has none. */
  readonly address: string;
  /** Bytes accepted and not yet given to the kernel. The gateway calls `client.drained()` when they have become few. */
  readonly bufferedBytes: number;
  /** Whether the peer answers transport pings of its own (WebSocket). */
  readonly ping: (() => void) | undefined;
  /** Queues bytes; never throws. */
  send(bytes: Uint8Array): void;
  /** Stops handing commands to the client. */
  pause(): void;
  /** Goes on. */
  resume(): void;
  /** Flushes and ends the connection; `reconnect` tells the client whether to come back, where the transport can. */
  close(reason: { readonly reconnect: boolean; readonly message: string }): void;
}

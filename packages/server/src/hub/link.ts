/** A client's connection, as the hub sees it. Each gateway implements it. */
export interface Link {
  /** The peer's IP address. Empty if it has none. */
  readonly address: string;
  /** Bytes accepted and not yet passed to the kernel. The gateway calls `client.drained()` when few are left. */
  readonly bufferedBytes: number;
  /** Sends a ping of the transport (WebSocket). Absent if the transport has none. */
  readonly ping: (() => void) | undefined;
  /** Queues bytes. Never throws. */
  send(bytes: Uint8Array): void;
  /** Stops passing requests to the client. */
  pause(): void;
  /** Continues after `pause`. */
  resume(): void;
  /**
   * Flushes and closes the connection. `reconnect` tells the client whether to come back, if the transport can
   * express it. `message` is empty if the client itself ended the connection.
   */
  close(reason: { readonly reconnect: boolean; readonly message: string }): void;
}

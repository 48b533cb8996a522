/** A transport for the chat's messages. Each message is one JSON text. */
export interface Link {
  /** Queues one message. Never throws; a failure reaches {@link LinkHandlers.close}. */
  send(text: string): void;
  /** Closes the link. Idempotent. The `close` handler may be called afterwards; the client ignores it. */
  close(): void;
}

/** Callbacks of a {@link Link}. */
export interface LinkHandlers {
  /** One message arrived. */
  message(text: string): void;
  /** The link ended. Called at most once. `error` is `undefined` for a normal end. */
  close(error: Error | undefined): void;
}

/**
 * Opens a link. Resolves when messages can be sent. On failure it rejects with an error whose text names action and
 * address (`Cannot connect to …: …`). On abort it rejects with `signal.reason`. The signal has no effect on an open
 * link: {@link Link.close} ends it.
 */
export type OpenLink = (handlers: LinkHandlers, signal: AbortSignal) => Promise<Link>;

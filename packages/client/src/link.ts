/** Where a client's messages go: text in, text out, one JSON object each. */
export interface Link {
  /** Sends one message. Never throws and never waits; a failure reaches {@link LinkHandlers.close}. */
  send(text: string): void;
  /** Ends the link. Idempotent; nothing is told to the handlers that the caller does not know already. */
  close(): void;
}

/** What a link tells its owner. */
export interface LinkHandlers {
  /** One message arrived. */
  message(text: string): void;
  /** The link is over, called at most once; `error` says why, where something failed. */
  close(error: Error | undefined): void;
}

/**
 * Opens a link. Resolves when messages can be sent; rejects when that failed, with a text that says so in full
 * (`Cannot connect to …: …`), and with `signal.reason` on abort.
 * The signal counts until then: an open link is ended with {@link Link.close}.
 */
export type OpenLink = (handlers: LinkHandlers, signal: AbortSignal) => Promise<Link>;

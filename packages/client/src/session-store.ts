/** What a client must know to resume its session. */
export interface StoredSession {
  /** The session's secret. Its holder can take over the session. */
  readonly token: string;
  /** Number of the last connection attempt. The server refuses a number that is not greater than the last one. */
  readonly attempt: number;
}

/**
 * Stores a client's session outside of the client. A later client resumes it: after a page was reloaded, or a program
 * started again. Only one client may use a stored session at a time: a second client takes over the session, and the
 * first one closes with `bye`.
 */
export interface SessionStore {
  /** Returns the stored session. `connect` calls it. */
  load(): StoredSession | undefined;
  /**
   * Stores the session, or removes it when it is `undefined`. Called before each connection attempt and when the session
   * changes. An error that it throws becomes an uncaught exception.
   */
  save(session: StoredSession | undefined): void;
}

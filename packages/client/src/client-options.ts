/** Options for {@link ChatClient}. */
export interface ChatClientOptions {
  /** The name for every room; `join` may give it instead. A connection has one name. */
  readonly username?: string;
  /** Longest wait before the first attempt to reconnect, in milliseconds. @default 500 */
  readonly backoffMinMs?: number;
  /** Longest wait before any attempt to reconnect, in milliseconds. @default 15000 */
  readonly backoffMaxMs?: number;
  /** For connecting, and for each answer; a link that stays silent longer counts as broken. @default 10000 */
  readonly ackTimeoutMs?: number;
  /** Calls that may wait for an answer at a time. @default 1000 */
  readonly queueMax?: number;
  /** From 0 to 1, for the jitter of the back-off. @default Math.random */
  readonly random?: () => number;
  /** What the ids of this client's requests begin with; no other client may use it. @default 12 random characters */
  readonly idPrefix?: string;
}

/** Options of calls that wait. */
export interface WaitOptions {
  /** Gives up waiting; the call rejects with its reason. What was sent may still be heard. */
  readonly signal?: AbortSignal;
}

/** Options for {@link ChatClient.join}. */
export interface JoinOptions extends WaitOptions {
  /** The name, where the client has none yet. */
  readonly username?: string;
  /** How many of the newest entries to give. @default none */
  readonly history?: number;
}

/** Options for {@link ChatClient.search}. */
export interface SearchOptions extends WaitOptions {
  /** Only messages before this `seq`. */
  readonly before?: number;
  readonly limit?: number;
}

/** Options for {@link ChatClient.history}; without a bound, the newest entries. */
export interface HistoryOptions extends WaitOptions {
  /** Entries before this `seq`. Not together with `after`. */
  readonly before?: number;
  /** Entries after this `seq`. Not together with `before`. */
  readonly after?: number;
  readonly limit?: number;
}

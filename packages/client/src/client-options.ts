import type { SessionStore } from "./session-store.ts";

/** Options for {@link ChatClient}. */
export interface ChatClientOptions {
  /**
   * The user's name in every room. Can be given to the first `join` instead. A session has one name: that of a resumed
   * or shared session takes precedence.
   */
  readonly username?: string;
  /** Keeps the session outside of the client, for a later client to resume. @default none: the session ends with the client */
  readonly sessionStore?: SessionStore;
  /**
   * Token of another client's session. Opens a further session of the same user: with the user's name, and in no room
   * yet. For another tab or device. Has no effect when `sessionStore` holds a session, or when the server does not know
   * the token.
   */
  readonly share?: string;
  /** Maximum delay before the first reconnect attempt, in milliseconds. It doubles with each attempt. @default 500 */
  readonly backoffMinMs?: number;
  /** Maximum delay before any reconnect attempt, in milliseconds. @default 15000 */
  readonly backoffMaxMs?: number;
  /** Limit for connecting and for the oldest pending answer, in milliseconds. After it the link is closed. @default 10000 */
  readonly ackTimeoutMs?: number;
  /** Maximum number of calls that wait for an answer. @default 1000 */
  readonly queueMax?: number;
  /** Source of the back-off's jitter: a number from 0 to 1. @default Math.random */
  readonly random?: () => number;
  /** Prefix of this client's request ids. Must be unique: the server removes duplicate messages by id. @default 12 random characters */
  readonly idPrefix?: string;
}

/** What {@link ChatClient.connect} resolves with. */
export interface ConnectResult {
  /**
   * The rooms of the resumed session. The client is still a member of them. {@link ChatClient.join} continues in a room
   * without a `presence` event for the others; {@link ChatClient.leave} leaves it. Until you call one of them, the
   * client emits no events of the room. Empty for a new session.
   */
  readonly rooms: readonly string[];
}

/** Options of every call that waits for an answer. */
export interface WaitOptions {
  /** Stops waiting: the call rejects with the signal's reason. The server may still carry out the request. */
  readonly signal?: AbortSignal;
}

/** Options for {@link ChatClient.join}. */
export interface JoinOptions extends WaitOptions {
  /** The user's name, when the client has none yet. */
  readonly username?: string;
  /** Number of newest entries in the answer; at most the server's `historyMax`. @default 0 */
  readonly history?: number;
}

/** Options for {@link ChatClient.search}. */
export interface SearchOptions extends WaitOptions {
  /** Only messages before this `seq`. */
  readonly before?: number;
  /** Maximum number of messages. @default the server's `historyDefault` */
  readonly limit?: number;
}

/** Options for {@link ChatClient.users}. */
export interface UsersOptions extends WaitOptions {
  /** Maximum number of names. @default 200, which is also the most */
  readonly limit?: number;
}

/** Options for {@link ChatClient.history}. Without `before` or `after` the answer holds the newest entries. */
export interface HistoryOptions extends WaitOptions {
  /** Entries before this `seq`. Not together with `after`. */
  readonly before?: number;
  /** Entries after this `seq`. Not together with `before`. */
  readonly after?: number;
  /** Maximum number of entries. @default the server's `historyDefault` */
  readonly limit?: number;
}

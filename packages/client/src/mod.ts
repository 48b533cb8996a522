/**
 * A client for the Landline chat. It reconnects on its own, and delivers each message of a room once and in order.
 * Runs in browsers and Node. The link over TCP is `@landline/client/tcp`.
 *
 * @module
 */
export { ChatError, type ChatErrorCode, type ChatErrorOptions } from "./chat-error.ts";
export { ChatClient } from "./client.ts";
export type {
  ChatClientOptions,
  ConnectResult,
  HistoryOptions,
  JoinOptions,
  SearchOptions,
  UsersOptions,
  WaitOptions,
} from "./client-options.ts";
export type {
  ChatClientEvent,
  ChatClientState,
  ChatErrorEvent,
  ChatMessageEvent,
  ChatStateEvent,
  DroppedEvent,
  GapEvent,
  RejoinedEvent,
  TopicEvent,
} from "./events.ts";
export type { Link, LinkHandlers, OpenLink } from "./link.ts";
export type { SessionStore, StoredSession } from "./session-store.ts";
export { TypingUsers } from "./typing-users.ts";
export { websocketLink } from "./websocket-link.ts";

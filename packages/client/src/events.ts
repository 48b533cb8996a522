import type {
  ByeMessage,
  ChatMessage,
  GapReason,
  JoinedMessage,
  PresenceMessage,
  ReadMessage,
  TypingMessage,
} from "@landline/protocol";
import type { ChatError } from "./chat-error.ts";

/**
 * - `offline`: not connected yet, or the first attempt failed.
 * - `connecting`: an attempt is running or scheduled.
 * - `online`: the server answered `hello`.
 * - `closed`: for good.
 */
export type ChatClientState = "offline" | "connecting" | "online" | "closed";

/** The client's state changed, or its next attempt was scheduled. */
export interface ChatStateEvent {
  readonly type: "state";
  readonly state: ChatClientState;
  /** Start of the next attempt, in milliseconds since 1970. Only with `connecting`, and absent while an attempt runs. */
  readonly retryAtMs?: number;
  /** The failure that caused the change, if any. */
  readonly error?: ChatError;
}

/** Another connection sent a message. Each message of a room comes once, in the room's order. */
export interface ChatMessageEvent {
  readonly type: "message";
  readonly message: ChatMessage;
}

/** Another connection set a room's topic. It has a place in the room's order, like a message. */
export interface TopicEvent {
  readonly type: "topic";
  readonly room: string;
  readonly username: string;
  /** `""` when it was removed. */
  readonly topic: string;
  readonly seq: number;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** The client rejoined a room after a reconnect. `joined` holds the current topic. */
export interface RejoinedEvent {
  readonly type: "rejoined";
  readonly joined: JoinedMessage;
  /**
   * The messages not seen before, oldest first. They include the client's own messages that were stored but not yet
   * acknowledged when the link broke. Their calls of `chat` still resolve, with the same `seq`.
   */
  readonly missed: readonly ChatMessage[];
  /** Whether `missed` is complete. */
  readonly recovered: boolean;
  /** Why `missed` is incomplete, when the server says so. */
  readonly reason?: GapReason;
}

/** The server refused to let the client rejoin a room, or the user was taken out of it. The client is no longer in it. */
export interface DroppedEvent {
  readonly type: "dropped";
  readonly room: string;
  readonly error: ChatError;
}

/** The entries of a room between two positions did not arrive. {@link ChatClient.history} may return them. */
export interface GapEvent {
  readonly type: "gap";
  readonly room: string;
  /** The last `seq` seen. */
  readonly after: number;
  /** The `seq` that arrived next. */
  readonly before: number;
}

/** The server sent an error that belongs to no pending call. */
export interface ChatErrorEvent {
  readonly type: "error";
  readonly error: ChatError;
}

/** Every event of {@link ChatClient.on}; `type` tells them apart. */
export type ChatClientEvent =
  | ChatStateEvent
  | ChatMessageEvent
  | TopicEvent
  | TypingMessage
  | ReadMessage
  | PresenceMessage
  | RejoinedEvent
  | DroppedEvent
  | GapEvent
  | ByeMessage
  | ChatErrorEvent;

import type {
  ByeMessage,
  ChatMessage,
  GapReason,
  JoinedMessage,
  PresenceMessage,
  TypingMessage,
} from "@landline/protocol";
import type { ChatError } from "./chat-error.ts";

/**
 * - `offline`: not connected yet, or the first attempt failed.
 * - `connecting`: an attempt runs, or one is waited for.
 * - `online`: the server answered `hello`.
 * - `closed`: for good.
 */
export type ChatClientState = "offline" | "connecting" | "online" | "closed";

/** The client's state changed. */
export interface ChatStateEvent {
  readonly type: "state";
  readonly state: ChatClientState;
  /** `connecting`: when the next attempt starts, in milliseconds since 1970; absent while one runs. */
  readonly retryAtMs?: number;
  /** Why, where something failed. */
  readonly error?: ChatError;
}

/** Somebody else wrote. Each message of a room comes once, in the room's order. */
export interface ChatMessageEvent {
  readonly type: "message";
  readonly message: ChatMessage;
}

/** Somebody else set a room's topic; it stands in the room's order like a message. */
export interface TopicEvent {
  readonly type: "topic";
  readonly room: string;
  readonly username: string;
  /** Empty: it was taken away. */
  readonly topic: string;
  readonly seq: number;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** The client is back in a room after its link broke. `joined` has the topic as it is now. */
export interface RejoinedEvent {
  readonly type: "rejoined";
  readonly joined: JoinedMessage;
  /**
   * The messages not seen before, oldest first. One's own messages are among them where the link broke between
   * their commit and their acknowledgement, which still comes and names the same `seq`.
   */
  readonly missed: readonly ChatMessage[];
  /** Whether `missed` is all that was missed. */
  readonly recovered: boolean;
  /** Why it is not, where the server says. */
  readonly reason?: GapReason;
}

/** A room could not be entered again; the client is no longer in it. */
export interface DroppedEvent {
  readonly type: "dropped";
  readonly room: string;
  readonly error: ChatError;
}

/** Messages of a room between two positions did not come; `history` may have them. */
export interface GapEvent {
  readonly type: "gap";
  readonly room: string;
  /** The last `seq` seen. */
  readonly after: number;
  /** The `seq` that came next. */
  readonly before: number;
}

/** The server complained about something that no call waits for. */
export interface ChatErrorEvent {
  readonly type: "error";
  readonly error: ChatError;
}

/** Whatever happens to a chat client. */
export type ChatClientEvent =
  | ChatStateEvent
  | ChatMessageEvent
  | TopicEvent
  | TypingMessage
  | PresenceMessage
  | RejoinedEvent
  | DroppedEvent
  | GapEvent
  | ByeMessage
  | ChatErrorEvent;

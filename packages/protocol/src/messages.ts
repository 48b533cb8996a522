import type { ByeCode, ErrorCode } from "./codes.ts";
import type { Position } from "./requests.ts";

/** The server's limits, sent in its `hello`. Lengths in bytes count UTF-8. */
export interface Limits {
  /** Longest text of one chat message, in bytes. */
  readonly messageBytesMax: number;
  /** Longest room topic, in bytes. */
  readonly topicBytesMax: number;
  /** Longest request, in bytes. */
  readonly frameBytesMax: number;
  /** Most rooms for one connection. */
  readonly roomsMax: number;
  /** Most entries in one `history` or `joined` answer. */
  readonly historyMax: number;
  /** Interval between the server's pings, in milliseconds. */
  readonly pingMs: number;
}

/** The first message to a version 1 client. */
export interface WelcomeMessage {
  readonly type: "welcome";
  readonly message: string;
}

/** A person joined or left, as text. Clients of version 2 get {@link PresenceMessage} instead. */
export interface NotificationMessage {
  readonly type: "notification";
  readonly message: string;
}

/** A chat message from another member. Version 1 omits `seq`, `prev` and `at`. */
export interface ChatMessage {
  readonly type: "chat";
  readonly username: string;
  readonly room: string;
  readonly message: string;
  readonly seq?: number;
  /**
   * The `seq` of the previous entry in the room, or 0 for the first. If it differs from the last `seq` seen, there is
   * a gap.
   */
  readonly prev?: number;
  /** When the server accepted it, in milliseconds since 1970. */
  readonly at?: number;
}

/** The room's state changed. A client ignores keys that it does not know. */
export interface SetMessage {
  readonly type: "set";
  readonly room: string;
  readonly username: string;
  /** The new values by key: `topic`, and later others. An empty value means that the key was removed. */
  readonly changes: Readonly<Record<string, string>>;
  readonly seq: number;
  readonly prev: number;
  readonly at: number;
}

/** An entry of a room's log, as members receive it. */
export type EntryMessage = ChatMessage | SetMessage;

/**
 * The server has lost entries of the room, so the next ones follow a gap. Join the room again with the last position to
 * get the missing ones.
 */
export interface ResyncMessage {
  readonly type: "resync";
  readonly room: string;
}

/** The user was taken out of the room. It may join again. */
export interface KickedMessage {
  readonly type: "kicked";
  readonly room: string;
  /** Who did it. */
  readonly username: string;
  /** `""` if none was given. */
  readonly reason: string;
}

/** Why the server cannot send everything that the client missed. */
export type GapReason =
  /** The position belongs to a different log: the room's log was lost or restored. */
  | "log-changed"
  /** The position is beyond the log's end. */
  | "ahead"
  /** The log no longer holds all missed entries. */
  | "too-old"
  /** The missed entries exceed one answer; `history` returns the rest. */
  | "too-many";

/** A request was refused. A version 1 client also gets it before the server ends the connection. */
export interface ErrorMessage {
  readonly type: "error";
  readonly id?: string | undefined;
  readonly code?: ErrorCode | ByeCode | undefined;
  readonly message: string;
  /** How long to wait before a retry, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

export interface HelloMessage {
  readonly type: "hello";
  readonly id?: string | undefined;
  readonly version: 2;
  /** A secret. Its holder can take over this connection's name and rooms, or share its name. */
  readonly session: string;
  /** The name, if one was claimed or taken over. */
  readonly username?: string | undefined;
  /** The rooms taken over from the session. */
  readonly rooms?: readonly string[] | undefined;
  readonly limits: Limits;
}

export interface JoinedMessage {
  readonly type: "joined";
  readonly id?: string | undefined;
  readonly room: string;
  readonly position: Position;
  /** At most 200 names; `count` is the number of members. */
  readonly members: readonly string[];
  readonly count: number;
  readonly entries: readonly EntryMessage[];
  /** The log has older entries than `entries`. */
  readonly more?: boolean;
  /** Absent if the room has no topic. */
  readonly topic?: string | undefined;
  /** The person's read position, if the server knows it. */
  readonly read?: number | undefined;
  /** Number of chat messages from others after `read`. Counted over at most `historyMax` entries. */
  readonly unread?: number | undefined;
  /** Answers `after`: whether `entries` holds everything that the client missed. */
  readonly recovered?: boolean | undefined;
  /** Why `recovered` is false. */
  readonly reason?: GapReason | undefined;
}

/** Answers `chat`, `topic`, `read` and `leave`. For `chat` and `topic`: the entry is in the room's log at `seq`. */
export interface AckMessage {
  readonly type: "ack";
  readonly id?: string | undefined;
  readonly room: string;
  readonly seq?: number;
  readonly at?: number;
  /** The log already had a message with this `id`; `seq` and `at` are those of the first. */
  readonly duplicate?: boolean;
}

export interface WhoMessage {
  readonly type: "who";
  readonly id?: string | undefined;
  readonly room: string;
  readonly members: readonly string[];
  readonly count: number;
}

/** The members of a room whose names begin with a prefix. */
export interface UsersMessage {
  readonly type: "users";
  readonly id?: string | undefined;
  readonly room: string;
  /** In the order of their code units. */
  readonly users: readonly string[];
  /** There may be further names. */
  readonly more: boolean;
}

export interface RoomsMessage {
  readonly type: "rooms";
  readonly id?: string | undefined;
  readonly rooms: readonly {
    readonly room: string;
    readonly count: number;
    /** As in {@link JoinedMessage}; only for rooms that this connection joined. */
    readonly unread?: number | undefined;
  }[];
}

export interface HistoryMessage {
  readonly type: "history";
  readonly id?: string | undefined;
  readonly room: string;
  /** Oldest first. */
  readonly entries: readonly EntryMessage[];
  /** There are older entries; with `after`, newer ones. */
  readonly more: boolean;
}

export interface SearchMessage {
  readonly type: "search";
  readonly id?: string | undefined;
  readonly room: string;
  /** Oldest first. */
  readonly entries: readonly EntryMessage[];
  /** There are older matches. */
  readonly more: boolean;
}

/** Answers `topic` without a topic. */
export interface TopicMessage {
  readonly type: "topic";
  readonly id?: string | undefined;
  readonly room: string;
  /** Empty if the room has no topic. */
  readonly topic: string;
}

/** A member is typing. It expires after a few seconds, or when that member's message arrives. */
export interface TypingMessage {
  readonly type: "typing";
  readonly room: string;
  readonly username: string;
}

/** Another session of the same user has read the room up to and including this `seq`. */
export interface ReadMessage {
  readonly type: "read";
  readonly room: string;
  readonly seq: number;
}

export interface PresenceMessage {
  readonly type: "presence";
  readonly room: string;
  readonly username: string;
  readonly state: "joined" | "left";
}

export interface PingMessage {
  readonly type: "ping";
}

export interface PongMessage {
  readonly type: "pong";
  readonly id?: string | undefined;
}

/** The server ends the connection. */
export interface ByeMessage {
  readonly type: "bye";
  readonly code: ByeCode;
  readonly message: string;
  /** Whether the client should reconnect. */
  readonly reconnect: boolean;
  /** Shortest wait before reconnecting, in milliseconds. */
  readonly afterMs?: number;
}

/** Any message from the server. */
export type ServerMessage =
  | WelcomeMessage
  | NotificationMessage
  | ChatMessage
  | SetMessage
  | ResyncMessage
  | KickedMessage
  | ErrorMessage
  | HelloMessage
  | JoinedMessage
  | AckMessage
  | WhoMessage
  | UsersMessage
  | RoomsMessage
  | HistoryMessage
  | SearchMessage
  | TopicMessage
  | TypingMessage
  | ReadMessage
  | PresenceMessage
  | PingMessage
  | PongMessage
  | ByeMessage;

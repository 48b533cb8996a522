import type { ByeCode, ErrorCode } from "./codes.ts";

/** A place in a room's log. `seq` grows; it may skip numbers. Another `epoch` is another log. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** What the server accepts, as `hello` tells it; lengths in bytes are of UTF-8. */
export interface Limits {
  /** Longest text of one chat message, in bytes. */
  readonly messageBytesMax: number;
  /** Longest topic of a room, in bytes. */
  readonly topicBytesMax: number;
  /** Longest request, in bytes. */
  readonly frameBytesMax: number;
  /** Rooms that one connection may be in. */
  readonly roomsMax: number;
  /** Entries that one `history` or `join` gives. */
  readonly historyMax: number;
  /** Pause between two pings of the server, in milliseconds. */
  readonly pingMs: number;
}

/** What a client asks. `id` (1 to 64 characters) comes back in the answer. */
export type Request =
  | {
      readonly type: "hello";
      readonly id?: string;
      readonly version: number;
      readonly username?: string;
      /** The `session` of an earlier connection, to take its name and rooms back; or, with `share`, of one that stays. */
      readonly session?: string;
      /** Be one more connection of the person whose `session` is given: its name, and no rooms yet. */
      readonly share?: boolean;
      /**
       * Counts a client's connections that give the same `session`: one that does not count further than the connection
       * which has it comes too late, and is refused.
       */
      readonly attempt?: number;
    }
  | {
      readonly type: "join";
      readonly id?: string;
      readonly room: string;
      readonly username?: string;
      /** Give the entries after this position. */
      readonly after?: Position;
      /** Give this many of the newest entries. */
      readonly history?: number;
    }
  | { readonly type: "chat"; readonly id?: string; readonly room?: string; readonly message: string }
  | { readonly type: "leave"; readonly id?: string; readonly room?: string }
  | { readonly type: "who"; readonly id?: string; readonly room: string }
  | { readonly type: "rooms"; readonly id?: string }
  | {
      readonly type: "history";
      readonly id?: string;
      readonly room: string;
      /** Entries before this `seq`. Not together with `after`. */
      readonly before?: number;
      /** Entries after this `seq`. Not together with `before`. */
      readonly after?: number;
      readonly limit?: number;
    }
  | {
      readonly type: "search";
      readonly id?: string;
      readonly room: string;
      /** Words that a message must all have; the last one may be the beginning of one. */
      readonly query: string;
      /** Only entries before this `seq`. */
      readonly before?: number;
      readonly limit?: number;
    }
  /** Sets a room's topic; an empty one takes it away. Without `topic`, asks for it. */
  | { readonly type: "topic"; readonly id?: string; readonly room: string; readonly topic?: string }
  /** The person is writing. Not answered. */
  | { readonly type: "typing"; readonly room: string; readonly id?: string }
  /** The person has read the room up to this `seq`. */
  | { readonly type: "read"; readonly id?: string; readonly room: string; readonly seq: number }
  | { readonly type: "ping"; readonly id?: string }
  | { readonly type: "pong"; readonly id?: string };

export type RequestType = Request["type"];
export type RequestOf<Type extends RequestType> = Extract<Request, { type: Type }>;

/** The first thing that a client of the seed hears. */
export interface WelcomeMessage {
  readonly type: "welcome";
  readonly message: string;
}

/** Somebody joined or left, in words; clients of version 2 get {@link PresenceMessage} instead. */
export interface NotificationMessage {
  readonly type: "notification";
  readonly message: string;
}

/** A chat message of another member. Version 1 leaves `seq`, `prev` and `at` out. */
export interface ChatMessage {
  readonly type: "chat";
  readonly username: string;
  readonly room: string;
  readonly message: string;
  readonly seq?: number;
  /** The `seq` before this one in the room; another one than the last seen shows a gap. 0: the first. */
  readonly prev?: number;
  /** When it was accepted, in milliseconds since 1970. */
  readonly at?: number;
}

/** The room's state was changed. A key that a client does not know is to be ignored. */
export interface SetMessage {
  readonly type: "set";
  readonly room: string;
  readonly username: string;
  /** `topic`, and others to come. */
  readonly key: string;
  /** Empty: it was taken away. */
  readonly value: string;
  readonly seq: number;
  readonly prev: number;
  readonly at: number;
}

/** An entry of a room's log, as the members are told it. */
export type EntryMessage = ChatMessage | SetMessage;

/** Why not all that was missed could be given. */
export type GapReason =
  /** The room's log is another one than the position's: it was lost, or restored. */
  | "log-changed"
  /** The position is beyond the log's end. */
  | "ahead"
  /** The log does not have all of it any more. */
  | "too-old"
  /** It is more than one answer holds; `history` has the rest. */
  | "too-many";

/** A request was refused; or, to a client of version 1, why the connection ends. */
export interface ErrorMessage {
  readonly type: "error";
  readonly id?: string | undefined;
  readonly code?: ErrorCode | ByeCode | undefined;
  readonly message: string;
  /** When to try again, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
}

export interface HelloMessage {
  readonly type: "hello";
  readonly id?: string | undefined;
  readonly version: 2;
  /** A secret: whoever has it can take this connection's name and rooms, or share its name. */
  readonly session: string;
  /** The name, where one was set or taken back. */
  readonly username?: string | undefined;
  /** The rooms that were taken back. */
  readonly rooms?: readonly string[] | undefined;
  readonly limits: Limits;
}

export interface JoinedMessage {
  readonly type: "joined";
  readonly id?: string | undefined;
  readonly room: string;
  readonly position: Position;
  /** At most 200 names; `count` is how many there are. */
  readonly members: readonly string[];
  readonly count: number;
  readonly entries: readonly EntryMessage[];
  /** There are older entries than the ones given. */
  readonly more?: boolean;
  /** Absent where the room has none. */
  readonly topic?: string | undefined;
  /** How far this person has read, where the server knows. */
  readonly read?: number | undefined;
  /** Chat messages of others since then; at most `historyMax` are counted. */
  readonly unread?: number | undefined;
  /** Answers `after`: whether `entries` is all that was missed. */
  readonly recovered?: boolean | undefined;
  /** Why it is not. */
  readonly reason?: GapReason | undefined;
}

/**
 * Answers `chat`, `topic`, `read` and `leave`. For `chat` and `topic`, it is in the room's log at `seq`.
 */
export interface AckMessage {
  readonly type: "ack";
  readonly id?: string | undefined;
  readonly room: string;
  readonly seq?: number;
  readonly at?: number;
  /** The message was already there; `seq` and `at` are its first ones. */
  readonly duplicate?: boolean;
}

export interface WhoMessage {
  readonly type: "who";
  readonly id?: string | undefined;
  readonly room: string;
  readonly members: readonly string[];
  readonly count: number;
}

export interface RoomsMessage {
  readonly type: "rooms";
  readonly id?: string | undefined;
  readonly rooms: readonly {
    readonly room: string;
    readonly count: number;
    /** In a room of this connection's, as in {@link JoinedMessage}. */
    readonly unread?: number | undefined;
  }[];
}

export interface HistoryMessage {
  readonly type: "history";
  readonly id?: string | undefined;
  readonly room: string;
  /** Oldest first. */
  readonly entries: readonly EntryMessage[];
  /** There are older entries (newer ones, if `after` was asked). */
  readonly more: boolean;
}

export interface SearchMessage {
  readonly type: "search";
  readonly id?: string | undefined;
  readonly room: string;
  /** Oldest first. */
  readonly entries: readonly EntryMessage[];
  /** There are older ones. */
  readonly more: boolean;
}

/** Answers `topic` without a topic. */
export interface TopicMessage {
  readonly type: "topic";
  readonly id?: string | undefined;
  readonly room: string;
  /** Empty where there is none. */
  readonly topic: string;
}

/** Somebody is writing; over after a few seconds, or with their message. */
export interface TypingMessage {
  readonly type: "typing";
  readonly room: string;
  readonly username: string;
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
  /** Whether coming back makes sense. */
  readonly reconnect: boolean;
  /** Come back no sooner, in milliseconds. */
  readonly afterMs?: number;
}

/** Whatever a server sends. */
export type ServerMessage =
  | WelcomeMessage
  | NotificationMessage
  | ChatMessage
  | SetMessage
  | ErrorMessage
  | HelloMessage
  | JoinedMessage
  | AckMessage
  | WhoMessage
  | RoomsMessage
  | HistoryMessage
  | SearchMessage
  | TopicMessage
  | TypingMessage
  | PresenceMessage
  | PingMessage
  | PongMessage
  | ByeMessage;

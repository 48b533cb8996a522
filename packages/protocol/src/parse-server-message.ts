import type {
  AckMessage,
  ByeMessage,
  ChatMessage,
  ErrorMessage,
  HelloMessage,
  HistoryMessage,
  JoinedMessage,
  KickedMessage,
  Limits,
  NotificationMessage,
  PingMessage,
  PongMessage,
  PresenceMessage,
  ReadMessage,
  ResyncMessage,
  RoomsMessage,
  SearchMessage,
  ServerMessage,
  SetMessage,
  TopicMessage,
  TypingMessage,
  UsersMessage,
  WelcomeMessage,
  WhoMessage,
} from "./messages.ts";
import type { Position } from "./requests.ts";

/** Whether a value may stand in a field. */
type Check = (value: unknown) => boolean;
/** One check for each field of a message: the compiler reports a field without a check. */
type Shape<Message> = { readonly [Field in Exclude<keyof Message, "type">]-?: Check };

/** Latest time that a `Date` can hold, in milliseconds since 1970 (ECMA-262, section 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

const text: Check = (value) => typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const time: Check = (value) => count(value) && (value as number) <= TIME_MS_MAX;

function optional(check: Check): Check {
  return (value) => value === undefined || check(value);
}

function list(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function object<Value>(shape: Shape<Value>): Check {
  const fields = Object.entries<Check>(shape);
  return (value) => {
    if (typeof value !== "object" || value === null) return false;
    return fields.every(([name, check]) => check((value as Readonly<Record<string, unknown>>)[name]));
  };
}

/** An object whose values are texts. */
const texts: Check = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(text);

const id = optional(text);
const chat = object<ChatMessage>({
  username: text,
  room: text,
  message: text,
  seq: optional(count),
  prev: optional(count),
  at: optional(time),
});
const set = object<SetMessage>({
  room: text,
  username: text,
  changes: texts,
  seq: count,
  prev: count,
  at: time,
});
const entries = list((value) => {
  const type = (value as { readonly type?: unknown } | null)?.type;
  return (type === "chat" && chat(value)) || (type === "set" && set(value));
});
const page = { id, room: text, entries, more: flag };

/** What each message must hold. `code` and `reason` may be any text: a newer server may send new ones. */
const CHECKS: { readonly [Type in ServerMessage["type"]]: Check } = {
  welcome: object<WelcomeMessage>({ message: text }),
  notification: object<NotificationMessage>({ message: text }),
  chat,
  set,
  resync: object<ResyncMessage>({ room: text }),
  kicked: object<KickedMessage>({ room: text, username: text, reason: text }),
  error: object<ErrorMessage>({ id, code: optional(text), message: text, retryAfterMs: optional(count) }),
  hello: object<HelloMessage>({
    id,
    version: (value) => value === 2,
    session: text,
    username: optional(text),
    rooms: optional(list(text)),
    limits: object<Limits>({
      messageBytesMax: count,
      topicBytesMax: count,
      frameBytesMax: count,
      roomsMax: count,
      historyMax: count,
      pingMs: count,
    }),
  }),
  joined: object<JoinedMessage>({
    id,
    room: text,
    position: object<Position>({ epoch: text, seq: count }),
    members: list(text),
    count,
    entries,
    more: optional(flag),
    topic: optional(text),
    read: optional(count),
    unread: optional(count),
    recovered: optional(flag),
    reason: optional(text),
  }),
  ack: object<AckMessage>({ id, room: text, seq: optional(count), at: optional(time), duplicate: optional(flag) }),
  who: object<WhoMessage>({ id, room: text, members: list(text), count }),
  users: object<UsersMessage>({ id, room: text, users: list(text), more: flag }),
  rooms: object<RoomsMessage>({
    id,
    rooms: list(object<RoomsMessage["rooms"][number]>({ room: text, count, unread: optional(count) })),
  }),
  history: object<HistoryMessage>(page),
  search: object<SearchMessage>(page),
  topic: object<TopicMessage>({ id, room: text, topic: text }),
  typing: object<TypingMessage>({ room: text, username: text }),
  read: object<ReadMessage>({ room: text, seq: count }),
  presence: object<PresenceMessage>({
    room: text,
    username: text,
    state: (value) => value === "joined" || value === "left",
  }),
  ping: object<PingMessage>({}),
  pong: object<PongMessage>({ id }),
  bye: object<ByeMessage>({ code: text, message: text, reconnect: flag, afterMs: optional(count) }),
};

/**
 * Parses one message from the server and checks every known field. Unknown fields stay.
 *
 * @returns the message; `undefined` for an unknown type, which the client ignores.
 * @throws {SyntaxError} when the text is not JSON.
 * @throws {SyntaxError} when the value is not an object with a `type`.
 * @throws {SyntaxError} when a field is missing or has a wrong type.
 */
export function parseServerMessage(source: string): ServerMessage | undefined {
  const value: unknown = JSON.parse(source);
  if (typeof value !== "object" || value === null || typeof (value as ServerMessage).type !== "string") {
    throw new SyntaxError("Cannot read the server's message: not an object with a type");
  }
  const { type } = value as ServerMessage;
  if (!Object.hasOwn(CHECKS, type)) return undefined;
  if (!CHECKS[type](value))
    throw new SyntaxError(`Cannot read the server's ${type}: a field is missing or has a wrong type`);
  return value as ServerMessage;
}

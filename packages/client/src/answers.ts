/**
 * The requests that have an answer, and their answers.
 *
 * @module
 */
import type {
  AckMessage,
  HistoryMessage,
  JoinedMessage,
  PongMessage,
  RequestOf,
  RoomsMessage,
  SearchMessage,
  TopicMessage,
  UsersMessage,
  WhoMessage,
} from "@landline/protocol";

/** The message that answers each request. */
export interface Answers {
  readonly join: JoinedMessage;
  readonly chat: AckMessage;
  readonly leave: AckMessage;
  readonly who: WhoMessage;
  readonly users: UsersMessage;
  readonly rooms: RoomsMessage;
  readonly history: HistoryMessage;
  readonly search: SearchMessage;
  /** `AckMessage` when the topic was set, `TopicMessage` when it was read. */
  readonly topic: AckMessage | TopicMessage;
  readonly read: AckMessage;
  readonly ping: PongMessage;
}

/** Any of them. */
export type Answer = Answers[keyof Answers];

/** A request with the id that its answer repeats. */
export type Asked<Type extends keyof Answers = keyof Answers> = Type extends keyof Answers
  ? RequestOf<Type> & { readonly id: string }
  : never;

/** A chat message that waits for its acknowledgement. */
export type AskedChat = Asked<"chat"> & { readonly room: string };

const ANSWER_TYPES: { readonly [Type in keyof Answers]: Answers[Type]["type"] } = {
  join: "joined",
  chat: "ack",
  leave: "ack",
  who: "who",
  users: "users",
  rooms: "rooms",
  history: "history",
  search: "search",
  topic: "topic",
  read: "ack",
  ping: "pong",
};

/** The type of the message that answers this request. */
export function answerType(request: Asked): Answer["type"] {
  if (request.type === "topic" && request.topic !== undefined) return "ack";
  return ANSWER_TYPES[request.type];
}

/** A position in a room's log. `seq` increases and may skip numbers. A different `epoch` means a different log. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** The kinds of fields. A `name` is a text that must not be empty; a `count` is a whole number that is not negative. */
export interface FieldKinds {
  readonly text: string;
  readonly name: string;
  readonly number: number;
  readonly count: number;
  readonly flag: boolean;
  readonly position: Position;
}

/**
 * Every request with its fields, besides `type` and `id`, and their kinds; `?` marks an optional field. The types of
 * requests are derived from this table, and `parseRequest` checks with it.
 */
export const REQUESTS = {
  /** Begins version 2. */
  hello: {
    version: "number",
    username: "text?",
    /** The `session` of an earlier connection. Takes over its name and rooms; with `share`, only shares its name. */
    session: "text?",
    /**
     * Adds this connection to the person of `session`: it gets the person's name and no rooms. The other connection
     * stays.
     */
    share: "flag?",
    /**
     * Attempt number of a client that reconnects with the same `session`. The server refuses an attempt that is not
     * greater than the one that holds the session: a newer one overtook it.
     */
    attempt: "count?",
  },
  /** Enters a room. */
  join: {
    room: "name",
    username: "name?",
    /** Requests the entries after this position. */
    after: "position?",
    /** Requests this many of the newest entries. */
    history: "count?",
  },
  /** Sends a message. Without `room`, to the only room that the client is in. */
  chat: { room: "text?", message: "text" },
  /** Leaves a room. Without `room`, the only one that the client is in. */
  leave: { room: "text?" },
  /** Lists the members of a room. */
  who: { room: "text" },
  /** Completes a name: lists members of a room whose names begin with `prefix`. */
  users: { prefix: "text", room: "text?", limit: "count?" },
  /** Lists the rooms. */
  rooms: {},
  /** Reads a room's log. */
  history: {
    room: "text",
    /** Requests entries before this `seq`. Excludes `after`. */
    before: "count?",
    /** Requests entries after this `seq`. Excludes `before`. */
    after: "count?",
    limit: "count?",
  },
  /** Finds messages in a room's log. */
  search: {
    room: "text",
    /** A message must contain all these words. The last one also matches as a prefix. */
    query: "text",
    /** Searches only entries before this `seq`. */
    before: "count?",
    limit: "count?",
  },
  /** Sets a room's topic. An empty `topic` removes it. Without `topic`, asks for the current one. */
  topic: { room: "text", topic: "text?" },
  /** The person is typing. It has no answer. */
  typing: { room: "text" },
  /** The person has read the room up to and including this `seq`. */
  read: { room: "text", seq: "count" },
  /** Ends the session and the connection. It has no answer. */
  bye: {},
  ping: {},
  pong: {},
} as const;

type Fields = Readonly<Record<string, `${keyof FieldKinds}${"" | "?"}`>>;
type ValuesOf<Shape extends Fields> = {
  readonly [Name in keyof Shape as Shape[Name] extends keyof FieldKinds ? Name : never]: FieldKinds[Shape[Name] &
    keyof FieldKinds];
} & {
  readonly [Name in keyof Shape as Shape[Name] extends `${string}?`
    ? Name
    : never]?: Shape[Name] extends `${infer Kind extends keyof FieldKinds}?` ? FieldKinds[Kind] : never;
};
/** Shows an intersection as one object. */
type Flat<Type> = { [Name in keyof Type]: Type[Name] };

/** A request's `type`. */
export type RequestType = keyof typeof REQUESTS;

/** The requests of one or several types. */
export type RequestOf<Type extends RequestType> = {
  [Each in Type]: Flat<{ readonly type: Each; readonly id?: string } & ValuesOf<(typeof REQUESTS)[Each]>>;
}[Type];

/** A request from a client. The answer carries the same `id` (1 to 64 characters). */
export type Request = RequestOf<RequestType>;

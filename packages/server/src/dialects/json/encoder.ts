import type { ErrorCode, ServerMessage } from "@landline/protocol";
import type { Refusal } from "../../core/mod.ts";
import type { Answer, Encoder, Entry, RoomEvent } from "../../hub/mod.ts";

type AnswerOf<Type extends Answer["type"]> = Extract<Answer, { type: Type }>;

const WELCOME = 'Welcome! Send {"type": "join", "room": "roomname", "username": "your_name"}';

/** The tutorial's own errors. They have no code. */
const SEED_ERRORS: ReadonlySet<string> = new Set(["Invalid JSON", "Room and username required"]);

/** In JSON, a message is one text, the same for every recipient. */
interface JsonEncoder extends Encoder {
  event(event: RoomEvent, room: string): string | undefined;
  own(event: RoomEvent, room: string): string | undefined;
  answer(answer: Answer): string | undefined;
}

/** Version 1: the tutorial's protocol. */
export const version1: JsonEncoder = {
  dialect: "json/1",
  capabilities: [],

  event(event, room) {
    if (event.type === "presence") return notification(event.name, event.state, room);
    if (event.type !== "entry") return undefined;
    const { entry } = event;
    const { name } = entry.author;
    if (entry.kind === "message") {
      const message = entry.isJson ? entry.text : JSON.stringify(entry.text);
      return `{"type":"chat","username":${quote(name)},"room":${quote(room)},"message":${message}}`;
    }
    const topic = entry.kind === "set" ? entry.changes.get("topic") : undefined;
    return topic === undefined ? undefined : topicNotification(name, topic, room);
  },

  // The tutorial does not send a message back to its author. The author's own join is answered by `joined`.
  own: () => undefined,

  answer(answer) {
    switch (answer.type) {
      case "welcome":
        return text({ type: "welcome", message: WELCOME });
      case "joined":
        return notification(answer.username, "joined", answer.room);
      case "refusal":
        return text(
          SEED_ERRORS.has(answer.message) ? { type: "error", message: answer.message } : errorMessage(answer),
        );
      case "bye":
        return text({ type: "error", code: answer.code, message: answer.message });
      case "kicked":
        return text({ type: "notification", message: kickedText(answer) });
      case "pong":
        return text(answer);
      default:
        return undefined;
    }
  },
};

/** Version 2: the protocol after `hello`. */
export const version2: JsonEncoder = {
  dialect: "json/2",
  capabilities: [],

  event(event, room) {
    switch (event.type) {
      case "entry":
        return entryText(event.entry, room);
      case "presence":
        return text({ type: "presence", room, username: event.name, state: event.state });
      case "typing":
        return text({ type: "typing", room, username: event.name });
      case "resync":
        return text({ type: "resync", room });
    }
  },

  own(event, room) {
    return event.type === "entry" ? ack(event.entry, room) : undefined;
  },

  answer(answer) {
    switch (answer.type) {
      case "welcome":
        return text({ type: "welcome", message: WELCOME });
      case "refusal":
        return text(errorMessage(answer));
      case "hello":
        return text(helloMessage(answer));
      case "joined":
        return joined(answer);
      case "history":
      case "search":
        return page(answer);
      case "format":
        return undefined;
      default:
        return text(answer);
    }
  },
};

function entryText(entry: Entry, room: string): string {
  const { author, seq, prev, at } = entry;
  switch (entry.kind) {
    case "message":
      return `{"type":"chat","room":${quote(room)},"username":${quote(author.name)},"message":${JSON.stringify(entry.text)},"seq":${seq},"prev":${prev},"at":${at}}`;
    case "set":
      return text({
        type: "set",
        room,
        username: author.name,
        changes: Object.fromEntries(entry.changes),
        seq,
        prev,
        at,
      });
    case "kick":
      // Who must go gets `kicked`. For the others, an empty change moves their positions.
      return text({ type: "set", room, username: author.name, changes: {}, seq, prev, at });
  }
}

function ack({ id, seq, at }: Entry, room: string): string {
  const idField = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
  return `{"type":"ack",${idField}"room":${quote(room)},"seq":${seq},"at":${at}}`;
}

function kickedText({ room, username, reason }: { room: string; username: string; reason: string }): string {
  return `${username} took you out of ${room}${reason === "" ? "" : `: ${reason}`}`;
}

function topicNotification(name: string, topic: string, room: string): string {
  const what = topic === "" ? `took away the topic of ${room}` : `set the topic of ${room}: ${topic}`;
  return text({ type: "notification", message: `${name} ${what}` });
}

function notification(name: string, state: "joined" | "left", room: string): string {
  return text({ type: "notification", message: `${name} ${state} ${room}` });
}

function errorMessage({ id, code, message, retryAfterMs }: Refusal): ServerMessage {
  // `satisfies` makes the compiler check that the protocol has every refusal code.
  return { type: "error", id, code: code satisfies ErrorCode, message, retryAfterMs };
}

function helloMessage({ id, session, username, rooms, limits }: AnswerOf<"hello">): ServerMessage {
  const { messageBytesMax, topicBytesMax, frameBytesMax, roomsMax, historyMax, pingMs } = limits;
  return {
    type: "hello",
    id,
    version: 2,
    session,
    username,
    rooms: rooms.length === 0 ? undefined : rooms,
    limits: { messageBytesMax, topicBytesMax, frameBytesMax, roomsMax, historyMax, pingMs },
  };
}

function page({ entries, ...answer }: AnswerOf<"history" | "search">): string {
  return withEntries({ ...answer, entries: [] }, entries, answer.room);
}

function joined({ username: _, entries, ...answer }: AnswerOf<"joined">): string {
  return withEntries({ ...answer, entries: [] }, entries, answer.room);
}

/** Puts entries into a message whose last field is an empty `entries`. */
function withEntries(message: ServerMessage, entries: readonly Entry[], room: string): string {
  const texts = entries.map((entry) => entryText(entry, room));
  return `${text(message).slice(0, -"]}".length)}${texts.join(",")}]}`;
}

/** Encodes a message. `JSON.stringify` omits undefined fields. */
function text(message: ServerMessage): string {
  return JSON.stringify(message);
}

/** Cache of names as JSON strings. Names repeat from event to event; messages do not. */
const QUOTED = new Map<string, string>();
const QUOTED_MAX = 4_096;

function quote(name: string): string {
  let quoted = QUOTED.get(name);
  if (quoted === undefined) {
    quoted = JSON.stringify(name);
    if (QUOTED.size >= QUOTED_MAX) QUOTED.clear();
    QUOTED.set(name, quoted);
  }
  return quoted;
}

import { nameKey } from "@landline/protocol";
import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import type { ChatLimits } from "../limits.ts";
import { utf8Length } from "../names.ts";
import { isOneLine } from "../one-line.ts";
import { refuse } from "../refusal.ts";
import type { Session } from "../session.ts";

/** `topic` sets the topic of a joined room. Without a topic, it asks for the current one. */
export function topic(session: Session, command: CommandOf<"topic">, limits: ChatLimits): Decision {
  const room = session.rooms.get(nameKey(command.room));
  if (room === undefined || session.person === undefined) return refuse("not-joined", "Join the room first");
  const { topic: value } = command;
  if (value === undefined) return { type: "topic", room };
  if (utf8Length(value) > limits.topicBytesMax) {
    return refuse("message-too-long", `A topic has at most ${limits.topicBytesMax} bytes`);
  }
  if (!isOneLine(value)) return refuse("invalid-request", "A topic is one line, without control characters");
  return { type: "set", room, person: session.person, key: "topic", value };
}

import { nameKey } from "@landline/protocol";
import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import type { ChatLimits } from "../limits.ts";
import { utf8Length } from "../names.ts";
import { refuse } from "../refusal.ts";
import { onlyRoom, type Session } from "../session.ts";

/** `chat` appends a message to a joined room. Without a room, it uses the only one joined. */
export function chat(session: Session, command: CommandOf<"chat">, limits: ChatLimits): Decision {
  const room = command.room === undefined ? onlyRoom(session) : session.rooms.get(nameKey(command.room));
  if (room === undefined || session.person === undefined) {
    return refuse("not-joined", session.rooms.size > 1 ? "Say in which room" : "Join the room first");
  }
  const { message } = command;
  // A UTF-16 unit takes at most three bytes, so most texts need no counting.
  if (message.length * 3 > limits.messageBytesMax && utf8Length(message) > limits.messageBytesMax) {
    return refuse("message-too-long", `A message has at most ${limits.messageBytesMax} bytes`);
  }
  const entry = { type: "append", room, person: session.person, message } as const;
  return command.isJson ? { ...entry, isJson: true } : entry;
}

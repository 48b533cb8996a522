import { nameKey } from "@landline/protocol";
import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import { refuse } from "../refusal.ts";
import type { Session } from "../session.ts";

/** `read` stores how far the person has read a joined room. */
export function read(session: Session, command: CommandOf<"read">): Decision {
  const room = session.rooms.get(nameKey(command.room));
  if (room === undefined || session.person === undefined) return refuse("not-joined", "Join the room first");
  return { type: "read", room, person: session.person, seq: command.seq };
}

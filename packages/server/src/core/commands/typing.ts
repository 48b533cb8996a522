import { nameKey } from "@landline/protocol";
import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import { refuse } from "../refusal.ts";
import type { Session } from "../session.ts";

/** `typing` tells the members of a joined room that the person is typing. */
export function typing(session: Session, command: CommandOf<"typing">): Decision {
  const room = session.rooms.get(nameKey(command.room));
  if (room === undefined || session.person === undefined) return refuse("not-joined", "Join the room first");
  return { type: "typing", room, person: session.person };
}

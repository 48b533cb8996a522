import { nameKey } from "@landline/protocol";
import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import { refuse } from "../refusal.ts";
import { onlyRoom, type Session } from "../session.ts";

/** `leave` leaves the given room. Without a room, it leaves the only one joined. */
export function leave(session: Session, command: CommandOf<"leave">): Decision {
  const room = command.room === undefined ? onlyRoom(session) : session.rooms.get(nameKey(command.room));
  if (room !== undefined) return { type: "leave", room };
  return refuse("not-joined", session.rooms.size > 1 ? "Say which room" : "You are not in that room");
}

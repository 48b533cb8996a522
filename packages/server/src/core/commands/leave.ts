import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import { roomKey } from "../names.ts";
import { refuse } from "../refusal.ts";
import { onlyRoom, type Session } from "../session.ts";

/** `leave` leaves a room; without a room, the only one. */
export function leave(session: Session, command: CommandOf<"leave">): Decision {
  const room = command.room === undefined ? onlyRoom(session) : session.rooms.get(roomKey(command.room));
  if (room !== undefined) return { type: "leave", room };
  return refuse("not-joined", session.rooms.size > 1 ? "Say which room" : "You are not in that room");
}

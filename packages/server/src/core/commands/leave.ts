import { refuse } from "../refusal.ts";
import type { Rule } from "../rule.ts";
import { joinedRoom } from "../session.ts";

/** `leave` leaves the given room. Without a room, it leaves the only one joined. */
export const leave: Rule<"leave"> = {
  by: "anyone",
  decide({ session }, command) {
    const room = joinedRoom(session, command.room);
    if (room !== undefined) return { type: "leave", room };
    return refuse("not-joined", session.rooms.size > 1 ? "Say which room" : "You are not in that room");
  },
};

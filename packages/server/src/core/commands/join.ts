import type { CommandOf } from "../command.ts";
import { type Name, roomName, userName } from "../names.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { Rule } from "../rule.ts";
import type { Session } from "../session.ts";

/** `join` enters a room. The first one also sets the name, which then stays, except when the client moves. */
export const join: Rule<"join"> = {
  by: "anyone",
  decide({ session, limits }, command) {
    const room = roomName(command.room);
    if ("type" in room) return room;
    const name = nameOf(session, command);
    if ("type" in name) return name;
    const { after, isMove } = command;
    const isRenamed = name.key !== session.user?.key;
    const leave = isMove ? [...session.rooms.values()].filter(({ key }) => isRenamed || key !== room.key) : [];
    const staying = session.rooms.size - leave.length;
    if (!session.rooms.has(room.key) && staying >= limits.roomsMax) {
      return refuse("too-many-rooms", `You are in ${staying} rooms; at most ${limits.roomsMax} are allowed`);
    }
    const history = command.history ?? (after === undefined ? 0 : limits.historyMax);
    return { type: "join", room, name, leave, after, history: Math.min(history, limits.historyMax) };
  },
};

function nameOf(session: Session, { username, isMove }: CommandOf<"join">): Name | Refusal {
  if (username === undefined) return session.user ?? refuse("invalid-request", "Room and username required");
  const name = userName(username);
  if ("type" in name || session.user === undefined) return name;
  if (name.key === session.user.key) return session.user;
  return isMove ? name : refuse("name-fixed", `You are ${session.user.text} already`);
}

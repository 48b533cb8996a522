import type { CommandOf } from "../command.ts";
import { type Name, personName, roomName } from "../names.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { Rule } from "../rule.ts";
import type { Session } from "../session.ts";

/** `join` enters a room. The first one also sets the name, which then stays, except when the client moves. */
export const join: Rule<"join"> = {
  by: "anyone",
  decide({ session, limits }, command) {
    const room = roomName(command.room);
    if ("type" in room) return room;
    const person = personOf(session, command);
    if ("type" in person) return person;
    const { after, isMove } = command;
    const isRenamed = person.key !== session.person?.key;
    const leave = isMove ? [...session.rooms.values()].filter(({ key }) => isRenamed || key !== room.key) : [];
    const staying = session.rooms.size - leave.length;
    if (!session.rooms.has(room.key) && staying >= limits.roomsMax) {
      return refuse("too-many-rooms", `You are in ${staying} rooms; at most ${limits.roomsMax} are allowed`);
    }
    const history = command.history ?? (after === undefined ? 0 : limits.historyMax);
    return { type: "join", room, person, leave, after, history: Math.min(history, limits.historyMax) };
  },
};

function personOf(session: Session, { username, isMove }: CommandOf<"join">): Name | Refusal {
  if (username === undefined) return session.person ?? refuse("invalid-request", "Room and username required");
  const person = personName(username);
  if ("type" in person || session.person === undefined) return person;
  if (person.key === session.person.key) return session.person;
  return isMove ? person : refuse("name-fixed", `You are ${session.person.text} already`);
}

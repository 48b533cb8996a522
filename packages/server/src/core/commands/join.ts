import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import type { ChatLimits } from "../limits.ts";
import { type Name, personName, roomName } from "../names.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { Session } from "../session.ts";

/**
 * `join` enters a room. The first one also sets the name. A version 1 client is in one room at a time and names
 * itself in each join, possibly with a new name. A version 2 client keeps its name.
 */
export function join(session: Session, command: CommandOf<"join">, limits: ChatLimits): Decision {
  const room = roomName(command.room);
  if ("type" in room) return room;
  const person = personOf(session, command);
  if ("type" in person) return person;
  const isNew = !session.rooms.has(room.key);
  if (session.version === 2 && isNew && session.rooms.size >= limits.roomsMax) {
    return refuse("too-many-rooms", `You are in ${session.rooms.size} rooms; at most ${limits.roomsMax} are allowed`);
  }
  return {
    type: "join",
    room,
    person,
    leave:
      session.version === 1 ? [...session.rooms.values()].filter((other) => leaves(session, person, other, room)) : [],
    after: command.after,
    history: Math.min(command.history ?? (command.after === undefined ? 0 : limits.historyMax), limits.historyMax),
  };
}

function personOf(session: Session, command: CommandOf<"join">): Name | Refusal {
  if (command.username === undefined) {
    const known = session.version === 1 ? undefined : session.person;
    return known ?? refuse("invalid-request", "Room and username required");
  }
  const person = personName(command.username);
  if ("type" in person || session.person === undefined) return person;
  if (person.key === session.person.key) return session.person;
  return session.version === 1 ? person : refuse("name-fixed", `You are ${session.person.text} already`);
}

function leaves(session: Session, person: Name, other: Name, room: Name): boolean {
  return other.key !== room.key || person.key !== session.person?.key;
}

import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import { roomName } from "../names.ts";

/** `who` lists the members of any room. */
export function who(command: CommandOf<"who">): Decision {
  const room = roomName(command.room);
  return "type" in room ? room : { type: "who", room };
}

import { roomName } from "../names.ts";
import type { Rule } from "../rule.ts";

/** `who` lists the members of any room. */
export const who: Rule<"who"> = {
  by: "anyone",
  decide(_, command) {
    const room = roomName(command.room);
    return "type" in room ? room : { type: "who", room };
  },
};

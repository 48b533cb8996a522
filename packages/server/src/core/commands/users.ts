import { nameKey } from "@landline/protocol";
import type { Rule } from "../rule.ts";

/** `users` completes a name: it lists members of a joined room whose names begin with a prefix. */
export const users: Rule<"users"> = {
  by: "members",
  decide({ limits }, { prefix, limit = limits.membersMax }, room) {
    return { type: "users", room, prefix: nameKey(prefix), limit: Math.min(limit, limits.membersMax) };
  },
};

import type { Rule } from "../rule.ts";

/** `search` finds words in the log of a joined room. */
export const search: Rule<"search"> = {
  by: "members",
  decide({ limits }, { query, before, limit = limits.historyDefault }, room) {
    return { type: "search", room, query, before, limit: Math.min(limit, limits.historyMax) };
  },
};

import { userName } from "../names.ts";
import { refuse } from "../refusal.ts";
import type { Rule } from "../rule.ts";

/** `hello` gives the client a session. It must come before any join. It may claim a name, or take over or share a session. */
export const hello: Rule<"hello"> = {
  by: "anyone",
  decide({ session: { isGreeted, rooms } }, { version, username, session, share = false, attempt }) {
    if (version !== 2) return refuse("unsupported-version", "This server speaks version 2");
    if (isGreeted || rooms.size > 0) return refuse("invalid-request", "hello must come first, and once");
    const name = username === undefined ? undefined : userName(username);
    if (name !== undefined && "type" in name) return name;
    return { type: "greet", name, session, share, attempt: attempt ?? Number.POSITIVE_INFINITY };
  },
};

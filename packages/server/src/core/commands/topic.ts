import { utf8Length } from "../names.ts";
import { isOneLine } from "../one-line.ts";
import { refuse } from "../refusal.ts";
import type { Rule } from "../rule.ts";

/** `topic` sets the topic of a joined room. Without a topic, it asks for the current one. */
export const topic: Rule<"topic"> = {
  by: "members",
  decide(context, { topic: value }, room) {
    const { limits } = context;
    if (value === undefined) return { type: "topic", room, topic: context.state(room)?.get("topic") ?? "" };
    if (utf8Length(value) > limits.topicBytesMax) {
      return refuse("message-too-long", `A topic has at most ${limits.topicBytesMax} bytes`);
    }
    if (!isOneLine(value)) return refuse("invalid-request", "A topic is one line, without control characters");
    return { type: "set", room, key: "topic", value };
  },
};

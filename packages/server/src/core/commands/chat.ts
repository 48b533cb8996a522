import { utf8Length } from "../names.ts";
import { refuse } from "../refusal.ts";
import type { Rule } from "../rule.ts";

/** `chat` appends a message to a joined room. */
export const chat: Rule<"chat"> = {
  by: "members",
  decide({ limits }, { message, isJson }, room) {
    // A UTF-16 unit takes at most three bytes, so most texts need no counting.
    if (message.length * 3 > limits.messageBytesMax && utf8Length(message) > limits.messageBytesMax) {
      return refuse("message-too-long", `A message has at most ${limits.messageBytesMax} bytes`);
    }
    return isJson ? { type: "append", room, message, isJson } : { type: "append", room, message };
  },
};

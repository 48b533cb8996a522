import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import { personName } from "../names.ts";
import { refuse } from "../refusal.ts";
import type { Session } from "../session.ts";

/**
 * `hello` switches to version 2. It must come before any join. It may claim a name, or take over or share a session.
 */
export function hello(session: Session, command: CommandOf<"hello">): Decision {
  if (command.version !== 2) return refuse("unsupported-version", "This server speaks version 2");
  if (session.version === 2 || session.rooms.size > 0) {
    return refuse("invalid-request", "hello must come first, and once");
  }
  const { session: secret, share = false, attempt = Number.POSITIVE_INFINITY } = command;
  if (command.username === undefined) return { type: "greet", person: undefined, session: secret, share, attempt };
  const person = personName(command.username);
  return "type" in person ? person : { type: "greet", person, session: secret, share, attempt };
}

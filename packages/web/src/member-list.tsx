import type { JSX } from "preact";
import { Avatar } from "./avatar.tsx";

interface MemberListProps {
  readonly members: readonly string[];
  readonly count: number;
  /** The user's own name, shown first. */
  readonly username: string;
  /** Closes the list where it covers the messages. */
  close(): void;
}

/** The members of the room. */
export function MemberList({ members, count, username, close }: MemberListProps): JSX.Element {
  const others = members.filter((member) => member !== username).sort((a, b) => a.localeCompare(b));
  const unnamed = count - others.length - 1;
  return (
    <>
      <div class="members-header">
        <h2>
          Members <span class="count">{count}</span>
        </h2>
        <button class="quiet members-close" type="button" onClick={close}>
          Close
        </button>
      </div>
      <ul>
        {[username, ...others].map((member) => (
          <li key={member}>
            <Avatar name={member} />
            <bdi class="member-name">{member}</bdi>
            {member === username && <span class="you">you</span>}
          </li>
        ))}
      </ul>
      {unnamed > 0 && <p class="unnamed">and {unnamed} more</p>}
    </>
  );
}

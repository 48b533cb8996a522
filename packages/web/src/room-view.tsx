import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useReducer, useState } from "preact/hooks";
import { Composer } from "./composer.tsx";
import { ConnectionBanner } from "./connection-banner.tsx";
import logo from "./landline.svg";
import { MemberList } from "./member-list.tsx";
import { MessageList } from "./message-list.tsx";
import type { RoomSession } from "./room-session.ts";

interface RoomViewProps {
  readonly session: RoomSession;
  leave(): void;
}

/** One room: its messages, its members, and a place to write. */
export function RoomView({ session, leave }: RoomViewProps): JSX.Element {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [isMembersOpen, setIsMembersOpen] = useState(false);
  const { conversation, status, newCount } = session;

  useLayoutEffect(() => {
    document.title = `${newCount > 0 ? `(${newCount}) ` : ""}#${session.room} · Landline`;
  }, [session, newCount]);

  useEffect(() => {
    redraw(undefined); // Something may have happened since the first drawing.
    return session.subscribe(() => redraw(undefined));
  }, [session]);

  useEffect(() => {
    if (!isMembersOpen) return;
    const close = (event: KeyboardEvent) => {
      if (event.key === "Escape") setIsMembersOpen(false);
    };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [isMembersOpen]);

  return (
    <div class="room">
      <header class="room-header">
        <img src={logo} alt="" width="28" height="28" />
        <h1>
          <span aria-hidden="true">#</span>
          {session.room}
        </h1>
        {conversation.topic !== "" && (
          <p class="topic" title={conversation.topic}>
            {conversation.topic}
          </p>
        )}
        <button
          class="quiet members-toggle"
          type="button"
          aria-expanded={isMembersOpen}
          aria-controls="members"
          onClick={() => setIsMembersOpen(!isMembersOpen)}
        >
          {conversation.count === 1 ? "1 member" : `${conversation.count} members`}
        </button>
        <button class="quiet" type="button" onClick={leave}>
          Leave
        </button>
      </header>
      <ConnectionBanner status={status} retryNow={() => session.retryNow()} leave={leave} />
      <div class="room-body">
        <main class="talk">
          <MessageList session={session} />
          <p class="writers" aria-live="polite">
            {writersText(session.writers)}
          </p>
          <Composer
            room={session.room}
            isDisabled={status.state === "closed"}
            say={(text) => session.say(text)}
            typing={() => session.typing()}
          />
        </main>
        <aside id="members" class={isMembersOpen ? "members is-open" : "members"} aria-label="Members">
          <MemberList members={conversation.members} count={conversation.count} username={session.username} />
        </aside>
      </div>
    </div>
  );
}

function writersText(names: readonly string[]): string {
  if (names.length === 0) return "";
  if (names.length > 3) return "Several people are writing…";
  return `${names.join(", ")} ${names.length === 1 ? "is" : "are"} writing…`;
}

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { Composer } from "./composer.tsx";
import { ConnectionBanner } from "./connection-banner.tsx";
import { draftOf } from "./draft.ts";
import logo from "./landline.svg";
import { MemberList } from "./member-list.tsx";
import type { OutgoingActions } from "./message-block.tsx";
import { MessageList } from "./message-list.tsx";
import type { RoomStore } from "./room-store.ts";

interface RoomViewProps {
  readonly store: RoomStore;
  leave(): void;
}

/** One room: its messages, its members and the composer. */
export function RoomView({ store, leave }: RoomViewProps): JSX.Element {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [isMembersOpen, setIsMembersOpen] = useState(false);
  const membersToggle = useRef<HTMLButtonElement>(null);
  const [draft, setDraft] = useState("");
  const [focus, refocus] = useReducer((count: number, _: undefined) => count + 1, 0);
  const { conversation, status, newCount } = store;

  useLayoutEffect(() => {
    document.title = `${newCount > 0 ? `(${newCount}) ` : ""}#${store.room} · Landline`;
  }, [store, newCount]);

  useEffect(() => {
    redraw(undefined); // The store may have changed since the first render.
    return store.subscribe(() => redraw(undefined));
  }, [store]);

  const closeMembers = () => {
    setIsMembersOpen(false);
    membersToggle.current?.focus();
  };
  useLayoutEffect(() => {
    if (!isMembersOpen) return;
    const keyDown = (event: KeyboardEvent) => {
      if (event.key === "Escape") closeMembers();
    };
    addEventListener("keydown", keyDown);
    return () => removeEventListener("keydown", keyDown);
  }, [isMembersOpen]);

  const outgoing: OutgoingActions = {
    retry: (key) => {
      store.retry(key);
      refocus(undefined);
    },
    edit: (key) => {
      const text = draftOf(store.takeBack(key));
      setDraft(draft.trim() === "" ? text : `${text}\n${draft}`);
      refocus(undefined);
    },
    discard: (key) => {
      store.takeBack(key);
      refocus(undefined);
    },
  };

  return (
    <div class="room">
      <header class="room-header">
        <img src={logo} alt="" width="28" height="28" />
        <h1>
          <span aria-hidden="true">#</span>
          <bdi>{store.room}</bdi>
        </h1>
        {conversation.topic !== "" && (
          <p class="topic" dir="auto" title={conversation.topic}>
            {conversation.topic}
          </p>
        )}
        <button
          ref={membersToggle}
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
      <ConnectionBanner status={status} retryNow={() => store.retryNow()} leave={leave} />
      <div class="room-body">
        <main class="talk">
          <MessageList store={store} outgoing={outgoing} />
          <TypingLine names={store.typingUsers} />
          <Composer
            room={store.room}
            isDisabled={status.state === "closed"}
            draft={draft}
            focus={focus}
            change={(text) => {
              setDraft(text);
              if (text !== "") store.typing();
            }}
            say={(text) => store.say(text)}
          />
        </main>
        <aside id="members" class={isMembersOpen ? "members is-open" : "members"} aria-label="Members">
          <MemberList
            members={conversation.members}
            count={conversation.count}
            username={store.username}
            close={closeMembers}
          />
        </aside>
      </div>
    </div>
  );
}

/** Says who is typing. */
function TypingLine({ names }: { readonly names: readonly string[] }): JSX.Element {
  const named = names.length > 3 ? [] : names;
  const end = names.length === 0 ? "" : names.length === 1 ? " is writing…" : " are writing…";
  return (
    <p class="typing-line" aria-live="polite">
      {named.map((name, index) => (
        <span key={name}>
          {index > 0 && ", "}
          <bdi>{name}</bdi>
        </span>
      ))}
      {names.length > 3 ? "Several people are writing…" : end}
    </p>
  );
}

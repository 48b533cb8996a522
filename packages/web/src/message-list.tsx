import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { lineKey } from "./conversation.ts";
import { MessageBlock } from "./message-block.tsx";
import { OutgoingMessage } from "./outgoing-message.tsx";
import type { RoomSession } from "./room-session.ts";
import { type Block, blocksOf } from "./timeline.ts";

interface MessageListProps {
  readonly session: RoomSession;
}

/** How near to its end the list counts as read to the end, in pixels. */
const END_PX = 40;

/** A room's messages. Follows new ones while the end is in view, and stays where it is otherwise. */
export function MessageList({ session }: MessageListProps): JSX.Element {
  const { lines, outgoing, hasOlder, unread } = session.conversation;
  const blocks = useMemo(() => blocksOf(lines, unread), [lines, unread]);
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const before = useRef({ first: lines[0], height: 0 });
  const [hasNews, setHasNews] = useState(false);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const isPrepended = before.current.first !== lines[0];
    if (isAtEnd.current) element.scrollTop = element.scrollHeight;
    else if (isPrepended) element.scrollTop += element.scrollHeight - before.current.height;
    else if (element.scrollHeight > before.current.height) setHasNews(true);
    before.current = { first: lines[0], height: element.scrollHeight };
  }, [lines, outgoing, unread]);

  const scrolled = () => {
    const element = scroller.current;
    if (element === null) return;
    isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < END_PX;
    if (isAtEnd.current) setHasNews(false);
    session.lookAt({ isAtEnd: isAtEnd.current });
  };
  const toEnd = () => scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  const showOlder = () => {
    isAtEnd.current = false;
    session.lookAt({ isAtEnd: false });
    void session.showOlder();
  };

  return (
    <div class="messages">
      <div class="messages-scroller" ref={scroller} onScroll={scrolled}>
        {hasOlder && (
          <button class="quiet older" type="button" disabled={session.isLoadingOlder} onClick={showOlder}>
            {session.isLoadingOlder ? "Loading…" : "Show older messages"}
          </button>
        )}
        {lines.length + outgoing.length === 0 && <p class="empty">Nothing was said here yet. Say hello!</p>}
        <div class="log" role="log" aria-label={`Messages in ${session.room}`} aria-busy={session.isLoadingOlder}>
          {blocks.map((block) => (
            <MessageBlock key={keyOf(block)} block={block} username={session.username} />
          ))}
          {outgoing.map((each) => (
            <OutgoingMessage
              key={each.key}
              outgoing={each}
              username={session.username}
              retry={() => session.retry(each.key)}
              discard={() => session.discard(each.key)}
            />
          ))}
        </div>
      </div>
      {hasNews && (
        <button class="news" type="button" onClick={toEnd}>
          New messages ↓
        </button>
      )}
    </div>
  );
}

function keyOf(block: Block): string {
  const first = block.kind === "messages" ? block.lines[0] : block.kind === "topic" ? block : undefined;
  return `${block.kind} ${first === undefined ? block.at : lineKey(first)}`;
}

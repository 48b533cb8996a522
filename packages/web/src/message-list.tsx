import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { lineKey } from "./conversation.ts";
import { MessageBlock, type OutgoingActions } from "./message-block.tsx";
import type { RoomStore } from "./room-store.ts";
import { type Block, blocksOf, groupLineKey, withOutgoing } from "./timeline.ts";

interface MessageListProps {
  readonly store: RoomStore;
  readonly outgoing: OutgoingActions;
}

/** Distance from the end within which the list counts as scrolled to the end, in pixels. */
const END_PX = 40;

/**
 * A room's messages. While the end is in view, it stays in view on new messages and size changes. Otherwise the scroll
 * position stays. Sending a message scrolls to the end.
 */
export function MessageList({ store, outgoing: actions }: MessageListProps): JSX.Element {
  const { lines, outgoing, hasOlder, unread } = store.conversation;
  const { username } = store;
  const blocks = useMemo(
    () => blocksOf(withOutgoing(lines, outgoing, username), unread),
    [lines, outgoing, username, unread],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const log = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const top = useRef(0);
  const before = useRef({ first: lines[0], height: 0, lastOwn: 0 });
  const [hasNews, setHasNews] = useState(false);

  const toEnd = () => {
    const element = scroller.current;
    if (element === null) return;
    element.scrollTop = element.scrollHeight;
    top.current = element.scrollTop;
  };
  // Read before scrolling by script: the event of the user's own scrolling comes one frame later.
  const follow = (element: HTMLElement, height: number) => {
    const isNearEnd = height - element.scrollTop - element.clientHeight < END_PX;
    // Only scrolling up leaves the end. A list that shrinks does not.
    if (isNearEnd || element.scrollTop < top.current) isAtEnd.current = isNearEnd;
    top.current = element.scrollTop;
  };

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const { first, height, lastOwn } = before.current;
    follow(element, height);
    const newestOwn = outgoing.at(-1)?.key ?? lastOwn;
    if (newestOwn > lastOwn) isAtEnd.current = true;
    if (isAtEnd.current) toEnd();
    else if (first !== lines[0]) element.scrollTop += element.scrollHeight - height;
    else if (element.scrollHeight > height) setHasNews(true);
    before.current = { first: lines[0], height: element.scrollHeight, lastOwn: Math.max(lastOwn, newestOwn) };
  }, [lines, outgoing, unread]);

  // The list changes its size with a phone's keyboard, a growing composer, a banner or a rotated screen.
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (scroller.current !== null) follow(scroller.current, scroller.current.scrollHeight);
      if (isAtEnd.current) toEnd();
    });
    for (const element of [scroller.current, log.current]) if (element !== null) observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const scrolled = () => {
    const element = scroller.current;
    if (element === null) return;
    follow(element, element.scrollHeight);
    if (isAtEnd.current) setHasNews(false);
    store.lookAt({ isAtEnd: isAtEnd.current });
  };
  const showOlder = () => {
    isAtEnd.current = false;
    store.lookAt({ isAtEnd: false });
    void store.showOlder();
  };

  return (
    <div class="messages">
      {/* A tab stop, so that the arrow keys scroll it. */}
      <section
        class="messages-scroller"
        ref={scroller}
        onScroll={scrolled}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by the keyboard.
        tabIndex={0}
        aria-label="Messages"
      >
        {hasOlder && (
          <button class="quiet older" type="button" disabled={store.isLoadingOlder} onClick={showOlder}>
            {store.isLoadingOlder ? "Loading…" : "Show older messages"}
          </button>
        )}
        {blocks.length === 0 && <p class="empty">No messages yet. Say hello!</p>}
        <div class="log" ref={log} role="log" aria-label={`Messages in ${store.room}`} aria-busy={store.isLoadingOlder}>
          {blocks.map((block) => (
            <MessageBlock key={keyOf(block)} block={block} username={username} outgoing={actions} />
          ))}
        </div>
      </section>
      {hasNews && (
        <button class="news" type="button" onClick={toEnd}>
          New messages ↓
        </button>
      )}
    </div>
  );
}

function keyOf(block: Block): string {
  switch (block.kind) {
    case "messages":
      return `messages ${block.lines.slice(0, 1).map(groupLineKey)}`;
    case "topic":
      return `topic ${lineKey(block)}`;
    default:
      return `${block.kind} ${block.at}`;
  }
}

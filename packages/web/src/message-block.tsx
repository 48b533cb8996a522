import type { JSX } from "preact";
import { Avatar } from "./avatar.tsx";
import { lineKey } from "./conversation.ts";
import { clockTime, dayName, fullTime } from "./day.ts";
import { MessageText } from "./message-text.tsx";
import { type Block, presenceText } from "./timeline.ts";

interface MessageBlockProps {
  readonly block: Block;
  /** One's own name. */
  readonly username: string;
}

/** One piece of the list: a day, a person's messages, comings and goings, a hole, or where the new ones begin. */
export function MessageBlock({ block, username }: MessageBlockProps): JSX.Element {
  switch (block.kind) {
    case "day":
      return (
        <h2 class="day">
          <span>{dayName(block.at)}</span>
        </h2>
      );
    case "unread":
      return (
        <h2 class="day is-unread">
          <span>{block.count} new</span>
        </h2>
      );
    case "topic":
      return (
        <p class="note">
          {block.topic === ""
            ? `${block.username} took the topic away`
            : `${block.username} set the topic: ${block.topic}`}
        </p>
      );
    case "gap":
      return <p class="note is-gap">Some messages from around here could not be recovered.</p>;
    case "presences":
      return (
        <p class="note">
          {presenceText(block.lines)} <Time at={block.at} />
        </p>
      );
    case "messages":
      return (
        <article class={block.username === username ? "group is-own" : "group"}>
          <Avatar name={block.username} />
          <div class="group-body">
            <p class="group-head">
              <strong>{block.username}</strong> <Time at={block.at} />
            </p>
            {block.lines.map((line) => (
              <MessageText key={lineKey(line)} text={line.text} title={fullTime(line.at)} />
            ))}
          </div>
        </article>
      );
  }
}

function Time({ at }: { readonly at: number }): JSX.Element {
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {clockTime(at)}
    </time>
  );
}

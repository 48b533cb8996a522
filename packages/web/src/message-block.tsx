import type { JSX } from "preact";
import { Avatar } from "./avatar.tsx";
import { clockTime, dayName, fullTime } from "./day.ts";
import { MessageText } from "./message-text.tsx";
import { OutgoingMessage } from "./outgoing-message.tsx";
import { type Block, type GroupLine, groupLineKey, presenceTexts } from "./timeline.ts";

interface MessageBlockProps {
  readonly block: Block;
  /** The user's own name. */
  readonly username: string;
  /** Actions for the user's own messages that failed. */
  readonly outgoing: OutgoingActions;
}

/** By the message's key. */
export interface OutgoingActions {
  retry(key: number): void;
  edit(key: number): void;
  discard(key: number): void;
}

/** One block of the list: a day, a user's messages, joins and leaves, a gap, or the divider before unread messages. */
export function MessageBlock({ block, username, outgoing }: MessageBlockProps): JSX.Element {
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
          <bdi>{block.username}</bdi>
          {block.topic === "" ? (
            " took the topic away"
          ) : (
            <>
              {" set the topic: "}
              <bdi>{block.topic}</bdi>
            </>
          )}
        </p>
      );
    case "gap":
      return <p class="note is-gap">Some messages from around here could not be recovered.</p>;
    case "presences":
      return (
        <p class="note">
          {presenceTexts(block.lines).map(({ username: name, text }, index) => (
            <>
              {index > 0 && ", "}
              <bdi>{name}</bdi> {text}
            </>
          ))}{" "}
          <Time at={block.at} />
        </p>
      );
    case "messages":
      return (
        <article class={block.username === username ? "group is-own" : "group"}>
          <Avatar name={block.username} />
          <div class="group-body">
            <p class="group-head">
              <strong>
                <bdi>{block.username}</bdi>
              </strong>{" "}
              <Time at={block.at} />
            </p>
            {block.lines.map((line) => (
              <GroupMessage key={groupLineKey(line)} line={line} actions={outgoing} />
            ))}
          </div>
        </article>
      );
  }
}

function GroupMessage({ line, actions }: { readonly line: GroupLine; readonly actions: OutgoingActions }): JSX.Element {
  if (line.kind === "message") return <MessageText text={line.text} title={fullTime(line.at)} />;
  const { key } = line.outgoing;
  return (
    <OutgoingMessage
      outgoing={line.outgoing}
      retry={() => actions.retry(key)}
      edit={() => actions.edit(key)}
      discard={() => actions.discard(key)}
    />
  );
}

function Time({ at }: { readonly at: number }): JSX.Element {
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {clockTime(at)}
    </time>
  );
}

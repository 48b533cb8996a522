import type { JSX } from "preact";
import { Avatar } from "./avatar.tsx";
import type { Outgoing } from "./conversation.ts";
import { MessageText } from "./message-text.tsx";

interface OutgoingMessageProps {
  readonly outgoing: Outgoing;
  readonly username: string;
  retry(): void;
  discard(): void;
}

/** One's own message that is on its way, or failed. */
export function OutgoingMessage({ outgoing, username, retry, discard }: OutgoingMessageProps): JSX.Element {
  const { text, error } = outgoing;
  return (
    <article class={error === undefined ? "group is-own is-pending" : "group is-own is-failed"}>
      <Avatar name={username} />
      <div class="group-body">
        <p class="group-head">
          <strong>{username}</strong> {error === undefined && <span class="pending">Sending…</span>}
        </p>
        <MessageText text={text} />
        {error !== undefined && (
          <p class="failure" role="alert">
            Not sent: {error}{" "}
            <button class="link" type="button" onClick={retry}>
              Retry
            </button>{" "}
            <button class="link" type="button" onClick={discard}>
              Delete
            </button>
          </p>
        )}
      </div>
    </article>
  );
}

import type { JSX } from "preact";
import type { Outgoing } from "./conversation.ts";
import { MessageText } from "./message-text.tsx";

interface OutgoingMessageProps {
  readonly outgoing: Outgoing;
  /** Sends the same text again. */
  retry(): void;
  /** Puts the text back into the composer. */
  edit(): void;
  discard(): void;
}

/** The user's own message that is pending or failed. */
export function OutgoingMessage({ outgoing, retry, edit, discard }: OutgoingMessageProps): JSX.Element {
  const { text, failure } = outgoing;
  if (failure === undefined) {
    return (
      <div class="outgoing is-pending">
        <MessageText text={text} />
        <span class="pending">Sending…</span>
      </div>
    );
  }
  return (
    <div class="outgoing is-failed">
      <MessageText text={text} />
      <p class="failure">
        <span role="alert">Not sent: {failure.message}</span>{" "}
        {failure.mayRetry && (
          <button class="link" type="button" onClick={retry}>
            Retry
          </button>
        )}{" "}
        <button class="link" type="button" onClick={edit}>
          Edit
        </button>{" "}
        <button class="link" type="button" onClick={discard}>
          Delete
        </button>
      </p>
    </div>
  );
}

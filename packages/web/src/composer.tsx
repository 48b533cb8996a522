import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { readDraft } from "./draft.ts";

interface ComposerProps {
  readonly room: string;
  readonly isDisabled: boolean;
  /** The current text. */
  readonly draft: string;
  /** Each new value moves the focus to the field. */
  readonly focus: number;
  change(draft: string): void;
  say(text: string): void;
}

/** The input for a message. Enter sends; Shift+Enter starts a new line. */
export function Composer({ room, isDisabled, draft, focus, change, say }: ComposerProps): JSX.Element {
  const [error, setError] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), [focus]);

  const send = () => {
    if (isDisabled) return;
    const read = readDraft(draft);
    if (read.kind === "like-a-command") {
      setError("Not sent: the text begins with /, like a command. To send it as it is, begin it with // instead.");
      return;
    }
    if (read.kind === "nothing") return;
    say(read.text);
    setError("");
    change("");
    field.current?.focus();
  };
  const keyDown = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    send();
  };

  return (
    <form class="composer" onSubmit={submit}>
      <p class="composer-error" role="alert">
        {error}
      </p>
      <textarea
        ref={field}
        rows={1}
        dir="auto"
        value={draft}
        disabled={isDisabled}
        aria-label={`Message to ${room}`}
        placeholder={`Message #${room}`}
        enterkeyhint="send"
        onInput={(event) => {
          setError("");
          change(event.currentTarget.value);
        }}
        onKeyDown={keyDown}
      />
      <button class="primary" type="submit" disabled={isDisabled || draft.trim() === ""}>
        Send
      </button>
    </form>
  );
}

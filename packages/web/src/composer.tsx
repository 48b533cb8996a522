import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface ComposerProps {
  readonly room: string;
  readonly isDisabled: boolean;
  say(text: string): void;
  /** A key was pressed. */
  typing(): void;
}

/** Where a message is written. Enter sends, Shift+Enter begins a new line. */
export function Composer({ room, isDisabled, say, typing }: ComposerProps): JSX.Element {
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);

  const send = () => {
    if (text.trim() === "" || isDisabled) return;
    say(text.trim());
    setText("");
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
      <textarea
        ref={field}
        rows={1}
        value={text}
        disabled={isDisabled}
        aria-label={`Message to ${room}`}
        placeholder={`Message #${room}`}
        enterkeyhint="send"
        onInput={(event) => {
          setText(event.currentTarget.value);
          if (event.currentTarget.value !== "") typing();
        }}
        onKeyDown={keyDown}
      />
      <button class="primary" type="submit" disabled={isDisabled || text.trim() === ""}>
        Send
      </button>
    </form>
  );
}

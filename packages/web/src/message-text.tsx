import type { JSX } from "preact";

interface MessageTextProps {
  readonly text: string;
  readonly title?: string;
}

/** Without the punctuation that ends the sentence around it. */
const LINK = /(https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}])/;

/** What somebody wrote: text, never HTML, with its links made clickable. */
export function MessageText({ text, title }: MessageTextProps): JSX.Element {
  // Splitting by a pattern with one group gives text and link in turn.
  const parts = text.split(LINK);
  return (
    <p class="text" title={title}>
      {parts.map((part, index) =>
        index % 2 === 0 ? (
          part
        ) : (
          <a href={part} target="_blank" rel="noopener noreferrer nofollow">
            {part}
          </a>
        ),
      )}
    </p>
  );
}

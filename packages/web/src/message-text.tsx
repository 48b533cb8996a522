import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { splitLinks } from "./text-links.ts";

interface MessageTextProps {
  readonly text: string;
  readonly title?: string;
}

/** A message's text with clickable links. Never rendered as HTML. */
export function MessageText({ text, title }: MessageTextProps): JSX.Element {
  const parts = useMemo(() => splitLinks(text), [text]);
  return (
    <p class="text" dir="auto" title={title}>
      {parts.map((part) =>
        typeof part === "string" ? (
          part
        ) : (
          <a href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ),
      )}
    </p>
  );
}

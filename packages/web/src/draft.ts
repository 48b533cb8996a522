/**
 * Parses the composer's text before it is sent. Pure.
 *
 * @module
 */

/** A parsed draft. */
export type Draft =
  | { readonly kind: "nothing" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "unknown-command"; readonly command: string };

/** Reads a draft. A line that begins with `/` is meant as a command and is never posted; `//` posts a text that begins with `/`. */
export function readDraft(draft: string): Draft {
  const text = draft.trim();
  if (text === "") return { kind: "nothing" };
  if (text.startsWith("//")) return { kind: "say", text: text.slice(1) };
  if (text.startsWith("/")) return { kind: "unknown-command", command: text.split(/\s/, 1)[0] ?? "/" };
  return { kind: "say", text };
}

/** Returns a draft that {@link readDraft} reads as this text. */
export function draftOf(text: string): string {
  return text.startsWith("/") ? `/${text}` : text;
}

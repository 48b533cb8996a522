/**
 * Parses the composer's text before it is sent. Pure.
 *
 * @module
 */

/** A parsed draft. */
export type Draft =
  | { readonly kind: "nothing" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "like-a-command" };

/** Reads a draft. A text that begins with `/` is never posted: it may be meant as a command. `//` posts it with one `/`. */
export function readDraft(draft: string): Draft {
  const text = draft.trim();
  if (text === "") return { kind: "nothing" };
  if (text.startsWith("//")) return { kind: "say", text: text.slice(1) };
  if (text.startsWith("/")) return { kind: "like-a-command" };
  return { kind: "say", text };
}

/** Returns a draft that {@link readDraft} reads as this text. */
export function draftOf(text: string): string {
  return text.startsWith("/") ? `/${text}` : text;
}

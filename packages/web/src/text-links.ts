/**
 * Finds URLs in a text. Pure.
 *
 * @module
 */
import { LinkifyIt } from "linkify-it";

/** A part of a text that is a link. */
export interface TextLink {
  /** `http:` or `https:`, nothing else. */
  readonly href: string;
  /** The text as written. */
  readonly text: string;
}

/** Only addresses that name their scheme: `main.rs` is a file more often than a host. */
const finder = new LinkifyIt({ fuzzyLink: false, fuzzyEmail: false });
for (const scheme of ["ftp:", "mailto:", "//"]) finder.add(scheme, null);

/** The text in order: plain parts and links. Punctuation and brackets that belong to the sentence stay outside of a link. */
export function splitLinks(text: string): readonly (string | TextLink)[] {
  const parts: (string | TextLink)[] = [];
  let end = 0;
  for (const { index, lastIndex, url } of finder.match(text) ?? []) {
    if (index > end) parts.push(text.slice(end, index));
    parts.push({ href: url, text: text.slice(index, lastIndex) });
    end = lastIndex;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

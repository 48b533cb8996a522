import type { JSX } from "preact";

const TINTS = 8;

/** A person's first letter on a colour of their own. */
export function Avatar({ name }: { readonly name: string }): JSX.Element {
  return (
    <span class={`avatar tint-${tintOf(name)}`} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </span>
  );
}

function tintOf(name: string): number {
  let sum = 0;
  for (const character of name.toLowerCase()) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % TINTS;
}

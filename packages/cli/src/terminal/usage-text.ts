/** Rewrites Commander's usage errors in the form of all other errors: the action first, then the reason. */
export function usageText(text: string): string {
  return text
    .replace(/^error: /, "landline: ")
    .replace(/^landline: command-argument value '(.*)' is invalid for argument '([^']*)'\. /s, refusal)
    .replace(/^landline: option '([^']*)' argument '(.*)' is invalid\. /s, (_, flags: string, value: string) =>
      refusal("", value, longFlag(flags)),
    );
}

function refusal(_: string, value: string, name: string): string {
  return `landline: Cannot use '${value}' for ${name}: `;
}

/** `--max-time` of `-m, --max-time <time>`. */
function longFlag(flags: string): string {
  return /--[a-z-]+/.exec(flags)?.[0] ?? flags;
}

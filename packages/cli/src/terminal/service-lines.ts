import { formatAddress, type UdpAddress } from "@landline/sockets";

/** One service that listens. */
export interface ServiceLine {
  /** Where: an address, or a URL. */
  readonly at: UdpAddress | string;
  readonly name: string;
  /** Ways to try it: `landline` commands, or with `$` in front any other. */
  readonly tries: readonly string[];
}

/** Says what listens where, one line each, in columns. */
export function formatServices(services: readonly ServiceLine[]): string {
  const rows = services.map(({ at, name, tries }) => ({
    at: typeof at === "string" ? at : formatAddress(at),
    name,
    tries: tries.map((text) => (text.startsWith("$ ") ? text.slice(2) : `${commandName()} ${text}`)).join("  or  "),
  }));
  const atWidth = Math.max(...rows.map(({ at }) => at.length));
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  return rows
    .map(({ at, name, tries }) => `${at.padEnd(atWidth)}  ${name.padEnd(nameWidth)}  try: ${tries}`)
    .join("\n");
}

/** How this command is called: inside an npm script it is not on the user's path. */
function commandName(): string {
  return process.env.npm_lifecycle_event === undefined ? "landline" : "npx landline";
}

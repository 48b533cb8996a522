import { formatAddress, type UdpAddress } from "@landline/sockets";

/** One service that listens. */
export interface ServiceLine {
  /** Where: an address, or a URL. */
  readonly at: UdpAddress | string;
  readonly name: string;
  /** Ways to try it: `landline` commands, or with `$` in front any other. */
  readonly tries: readonly string[];
}

const EVERY_ADDRESS: readonly string[] = ["0.0.0.0", "::"];

/** Where this machine reaches a service: what listens on every address cannot be called by that address everywhere. */
export function localAddress({ host, port }: UdpAddress): UdpAddress {
  return { host: EVERY_ADDRESS.includes(host) ? "localhost" : host, port };
}

/** Says that this host is every address; `undefined` where it is not. */
export function everyAddressLine(host: string): string | undefined {
  if (!EVERY_ADDRESS.includes(host)) return undefined;
  return `Listening on all ${host === "::" ? "" : "IPv4 "}addresses of this machine (${host})`;
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

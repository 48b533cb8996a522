import { formatAddress, type UdpAddress } from "@landline/sockets";

/** One service that listens. */
export interface ServiceLine {
  /** Its address or URL. */
  readonly at: UdpAddress | string;
  readonly name: string;
  /** Commands to try it: arguments of `landline`, or any other command after `$ `. */
  readonly tries: readonly string[];
}

const EVERY_ADDRESS: readonly string[] = ["0.0.0.0", "::"];

/** The address to connect to on this machine: `0.0.0.0` and `::` are not valid targets on every system. */
export function localAddress({ host, port }: UdpAddress): UdpAddress {
  return { host: EVERY_ADDRESS.includes(host) ? "localhost" : host, port };
}

/** A note for hosts that stand for all addresses; `undefined` for any other host. */
export function everyAddressLine(host: string): string | undefined {
  if (!EVERY_ADDRESS.includes(host)) return undefined;
  return `Listening on all ${host === "::" ? "" : "IPv4 "}addresses of this machine (${host})`;
}

/** One line per service, in columns. */
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

/** How the user calls this command. Under `npm start` it is usually not on the user's path. */
function commandName(): string {
  return process.env.npm_lifecycle_event === undefined ? "landline" : "npx landline";
}

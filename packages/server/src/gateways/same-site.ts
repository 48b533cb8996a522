import { isIP } from "node:net";

/**
 * Whether a name in a `Host` or `Origin` header is one of this server's. A page of a stranger's whose name was made to
 * point here (DNS rebinding) still shows that name, so only addresses, localhost and the configured names pass.
 */
export function isOwnHost(authority: string | undefined, hosts: readonly string[]): boolean {
  if (authority === undefined) return false;
  const host = hostOf(authority);
  return host === "localhost" || host.endsWith(".localhost") || isIP(host) !== 0 || hosts.includes(host);
}

/**
 * Whether a page of this origin (`http://host:port`) may speak to the server. Unlike a name that was made to point here,
 * an address is its own proof only where it is the one that the page reached the server by, or a loopback one: a
 * stranger's page can be served from an address, too.
 */
export function isOwnOrigin(origin: string, authority: string, hosts: readonly string[]): boolean {
  const match = /^https?:\/\/([^/?#@]+)$/i.exec(origin);
  if (match === null || !isOwnHost(match[1], hosts)) return false;
  const host = hostOf(match[1] as string);
  return isIP(host) === 0 || isLoopback(host) || host === hostOf(authority) || hosts.includes(host);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** The host of `host`, `host:port` or `[address]:port`, in lower case. */
function hostOf(authority: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(authority);
  return (bracketed?.[1] ?? authority.replace(/:\d*$/, "")).toLowerCase();
}

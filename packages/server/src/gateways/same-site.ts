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

/** As {@link isOwnHost}, for the `Origin` header: `http://host:port`. */
export function isOwnOrigin(origin: string, hosts: readonly string[]): boolean {
  const match = /^https?:\/\/([^/?#@]+)$/i.exec(origin);
  return match !== null && isOwnHost(match[1], hosts);
}

/** The host of `host`, `host:port` or `[address]:port`, in lower case. */
function hostOf(authority: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(authority);
  return (bracketed?.[1] ?? authority.replace(/:\d*$/, "")).toLowerCase();
}

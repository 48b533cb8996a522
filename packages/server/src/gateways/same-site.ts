import type { IncomingMessage } from "node:http";
import { isIPv4, isIPv6 } from "node:net";

/** What a request asks for, and of whom. */
export interface RequestTarget {
  /** Host, and port if one is given, in lower case. */
  readonly authority: string;
  readonly path: string;
}

/** `host`, `host:port` or `[address]:port` (RFC 3986, section 3.2); no user, and no comma, so that it is one. */
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._~%!$&'()*+;=-]+))(?::\d*)?$/;
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#]*)([^?#]*)/i;

/** Reads the target of a request; `undefined` where it does not name exactly one host (RFC 9112, section 3.2). */
export function targetOf(request: Pick<IncomingMessage, "url" | "headersDistinct">): RequestTarget | undefined {
  const { url = "", headersDistinct } = request;
  const [, absolute, path] = ABSOLUTE_TARGET.exec(url) ?? [];
  const named = [...(headersDistinct.host ?? []), ...(absolute === undefined ? [] : [absolute])];
  const [authority, ...others] = new Set(named.map((each) => each.toLowerCase()));
  const isOne = others.length === 0 && (headersDistinct.host?.length ?? 0) <= 1;
  if (authority === undefined || !isOne || !AUTHORITY.test(authority)) return undefined;
  return { authority, path: path ?? url.replace(/\?.*$/s, "") };
}

/**
 * Whether the host that a request asks for is this server. A page of a stranger's whose name was made to point here (DNS
 * rebinding) still shows that name, so only addresses, localhost and the configured names pass.
 */
export function isOwnHost(authority: string, hosts: readonly string[]): boolean {
  const host = hostOf(authority);
  return host !== undefined && (isLocalName(host) || isIPv4(host) || isIPv6(host) || hosts.includes(host));
}

/**
 * Whether a page of this origin (`http://host:port`) may speak to the server: a page of a configured name, or a page of
 * the very host and port that it asks. Without configured names any page of this machine may speak to the server on the
 * same machine, as while a page is developed. An address proves nothing: a stranger's page can be served from one, too.
 */
export function isOwnOrigin(origin: string, authority: string, hosts: readonly string[]): boolean {
  const [, page = ""] = /^https?:\/\/(.+)$/.exec(origin.toLowerCase()) ?? [];
  const host = hostOf(page);
  if (host === undefined) return false;
  if (hosts.includes(host) || page === authority) return true;
  return hosts.length === 0 && isLoopback(host) && isLoopback(hostOf(authority) ?? "");
}

function isLoopback(host: string): boolean {
  return isLocalName(host) || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

function isLocalName(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}

/** The host of an authority; `undefined` where that is none. */
function hostOf(authority: string): string | undefined {
  const [, address, name] = AUTHORITY.exec(authority.toLowerCase()) ?? [];
  return address === undefined ? name : isIPv6(address) ? address : undefined;
}

import type { IncomingMessage } from "node:http";
import { isIPv4, isIPv6 } from "node:net";

/** The host and path that a request asks for. */
export interface RequestTarget {
  /** The host, and the port if given, in lower case. */
  readonly authority: string;
  readonly path: string;
}

/**
 * `host`, `host:port` or `[address]:port` (RFC 3986, section 3.2). Without user and comma, so that it names one host.
 */
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._~%!$&'()*+;=-]+))(?::\d*)?$/;
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#]*)([^?#]*)/i;

/** Returns the target of a request, or `undefined` if it does not name exactly one host (RFC 9112, section 3.2). */
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
 * Whether a request's host is this server. In a DNS rebinding attack, a foreign page's name resolves to this server,
 * but the request still carries that name. So only addresses, localhost and the configured names pass.
 */
export function isOwnHost(authority: string, hosts: readonly string[]): boolean {
  const host = hostOf(authority);
  return host !== undefined && (isLocalName(host) || isIPv4(host) || isIPv6(host) || hosts.includes(host));
}

/**
 * Whether a page of this origin (`http://host:port`) may use the server. Pages of configured names may, and pages
 * from the same host and port as the server. Without configured names, any page of this machine may use a server on
 * this machine, for development. Other addresses do not pass: a foreign page can be served from an address, too.
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

/** Returns the host of an authority, or `undefined` if the authority is invalid. */
function hostOf(authority: string): string | undefined {
  const [, address, name] = AUTHORITY.exec(authority.toLowerCase()) ?? [];
  return address === undefined ? name : isIPv6(address) ? address : undefined;
}

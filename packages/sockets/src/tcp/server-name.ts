import { domainToASCII } from "node:url";

/**
 * The host name in the form TLS uses: lower case, A-labels (RFC 5890) and no trailing dot (RFC 6066, section 3). An IP
 * address in an unusual spelling becomes the usual one. Empty when `host` is not a valid name.
 */
export function toServerName(host: string): string {
  // `domainToASCII` parses its input as the host of a URL, which these characters would end.
  if (/[/\\?#:@%]/.test(host)) return "";
  const name = domainToASCII(host).replace(/\.$/, "");
  return name.split(".").includes("") ? "" : name;
}

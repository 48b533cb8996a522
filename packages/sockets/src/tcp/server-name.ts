import { domainToASCII } from "node:url";

/**
 * The name of a host as TLS has it: in lower case, with A-labels (RFC 5890) and without the dot of the root (RFC 6066,
 * section 3). An IP address in an odd spelling becomes the usual one. Empty where there is no such name.
 */
export function toServerName(host: string): string {
  // These end the host of a URL, which `domainToASCII` reads.
  if (/[/\\?#:@%]/.test(host)) return "";
  const name = domainToASCII(host).replace(/\.$/, "");
  return name.split(".").includes("") ? "" : name;
}

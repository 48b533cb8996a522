/** The address of a socket: a host and port, or the path of a Unix socket. */
export type Address =
  | { readonly host: string; readonly port: number; readonly path?: undefined }
  | { readonly path: string; readonly host?: undefined; readonly port?: undefined };

/**
 * Formats an address as `localhost:8080`, `[::1]:8080`, or the path. An abstract Unix socket becomes `@name`.
 *
 * @example
 * ```ts
 * import { formatAddress } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatAddress({ host: "::1", port: 8080 }), "[::1]:8080");
 * ```
 */
export function formatAddress(address: Address): string {
  if (address.path !== undefined) return address.path.replace(/^\0/, "@");
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

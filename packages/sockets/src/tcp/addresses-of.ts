import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Address } from "../address.ts";

/** The addresses of both ends, without those that are not known. */
export function addressesOf({ local, remote }: { local: Address | undefined; remote: Address | undefined }): {
  local?: Address;
  remote?: Address;
} {
  return { ...(local === undefined ? {} : { local }), ...(remote === undefined ? {} : { remote }) };
}

/** The local address of a Node socket. Unix sockets have none, and a socket that is closed has lost it. */
export function localAddressOf(stream: Duplex): Address | undefined {
  const { localAddress: host, localPort: port } = stream as Partial<Socket>;
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** The peer's address of a Node socket; see {@link localAddressOf}. */
export function remoteAddressOf(stream: Duplex): Address | undefined {
  const { remoteAddress: host, remotePort: port } = stream as Partial<Socket>;
  return host === undefined || port === undefined ? undefined : { host, port };
}

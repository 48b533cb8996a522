import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Address } from "../address.ts";

/** Both ends of a connection, those that are known. */
export function addressesOf({ local, remote }: { local: Address | undefined; remote: Address | undefined }): {
  local?: Address;
  remote?: Address;
} {
  return { ...(local === undefined ? {} : { local }), ...(remote === undefined ? {} : { remote }) };
}

/** Where a Node socket is bound. A Unix socket does not know, nor one that was closed before it was asked. */
export function localAddressOf(stream: Duplex): Address | undefined {
  const { localAddress: host, localPort: port } = stream as Partial<Socket>;
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** Whom a Node socket is connected to, as {@link localAddressOf}. */
export function remoteAddressOf(stream: Duplex): Address | undefined {
  const { remoteAddress: host, remotePort: port } = stream as Partial<Socket>;
  return host === undefined || port === undefined ? undefined : { host, port };
}

import type { Socket } from "node:net";
import type { Address } from "../address.ts";

/** Both ends of a Node socket, as far as it knows them. A Unix socket knows neither. */
export function addressesOf(socket: Socket): { local?: Address; remote?: Address } {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  return {
    ...(localAddress === undefined || localPort === undefined
      ? {}
      : { local: { host: localAddress, port: localPort } }),
    ...(remoteAddress === undefined || remotePort === undefined
      ? {}
      : { remote: { host: remoteAddress, port: remotePort } }),
  };
}

import dgram from "node:dgram";
import { formatAddress } from "../address.ts";
import { fromNodeError, SocketError } from "../errors.ts";
import { lookUp } from "./name-cache.ts";
import { canonicalHost } from "./udp-address.ts";
import { applyOptions, checkOptions, type UdpSocketOptions } from "./udp-options.ts";

/** Attempts to bind a free port when another socket takes it first. */
const PORT_ATTEMPTS = 16;

/** A bound `node:dgram` socket with its options set. */
export interface BoundSocket {
  readonly socket: dgram.Socket;
  readonly family: 4 | 6;
  /** Whether it is an IPv6 socket that also reaches IPv4 addresses. */
  readonly isDualStack: boolean;
}

/** Looks up the host, binds the socket and sets its options. On an error nothing stays open. */
export async function openBoundSocket(options: UdpSocketOptions): Promise<BoundSocket> {
  checkOptions(options);
  const { host = "localhost", port = 0, reuseAddress = false, ipv6Only = false } = options;
  const action = `Cannot bind ${formatAddress({ host, port })}`;
  const fields = { operation: "bind", local: { host, port } };
  const [found] = await lookUp(host, options.lookup).catch((error: unknown) => {
    throw fromNodeError(error, action, { operation: "lookup" });
  });
  if (found === undefined) throw new SocketError("name-not-found", `${action}: the name has no address`, fields);
  const { address, family } = found;
  const settings: dgram.SocketOptions = {
    type: family === 6 ? "udp6" : "udp4",
    reuseAddr: reuseAddress,
    ipv6Only: family === 6 && ipv6Only,
    // The socket gets only IP addresses. Node's own lookup would still take a tick per datagram.
    lookup: (host, _options, found) => found(null, host, family),
  };
  const socket = dgram.createSocket(settings);
  try {
    if (port === 0) await bindFreePort(socket, address, settings);
    else await bindPort(socket, address, port);
    applyOptions(socket, family, options);
    return { socket, family, isDualStack: family === 6 && !ipv6Only && canonicalHost(address) === "::" };
  } catch (error) {
    socket.close();
    throw fromNodeError(error, action, fields);
  }
}

/**
 * Binds a free port by its number. If Linux chose the port itself, it releases the port when the socket is
 * disconnected, as on a change of peer. The socket would then receive nothing until it sends, and have another port
 * after that.
 */
async function bindFreePort(socket: dgram.Socket, address: string, settings: dgram.SocketOptions): Promise<void> {
  if (process.platform !== "linux") return bindPort(socket, address, 0);
  for (let attempts = 1; ; attempts += 1) {
    const finder = dgram.createSocket(settings).unref();
    let port: number;
    try {
      await bindPort(finder, address, 0);
      port = finder.address().port;
    } finally {
      finder.close();
    }
    try {
      return await bindPort(socket, address, port);
    } catch (error) {
      if (attempts === PORT_ATTEMPTS || fromNodeError(error, "").code !== "address-in-use") throw error;
    }
  }
}

function bindPort(socket: dgram.Socket, address: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind({ address, port }, resolve);
  return promise.finally(() => {
    socket.off("error", reject);
    socket.off("listening", resolve);
  });
}

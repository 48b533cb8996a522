/**
 * Access to the `node:dgram` sockets inside UDP sockets, for tests of errors that only they can cause.
 *
 * @module
 */
import dgram from "node:dgram";
import type { TestContext } from "node:test";
import { bind } from "@landline/sockets";

/** Returns the sockets created from now on until the test ends. */
export function watchDatagramSockets(t: TestContext): readonly dgram.Socket[] {
  const sockets: dgram.Socket[] = [];
  const { createSocket } = dgram;
  t.mock.method(dgram, "createSocket", (options: dgram.SocketOptions) => {
    const socket = createSocket(options);
    sockets.push(socket);
    return socket;
  });
  return sockets;
}

/**
 * Sends a datagram and resolves when it arrives. All datagrams sent before on this machine, and their ICMP refusals, have
 * arrived then, too.
 */
export async function arrivals(): Promise<void> {
  await using probe = await bind({ host: "127.0.0.1" });
  await probe.send("", probe.address);
  await probe.receive({ timeoutMs: 30_000 });
}

/**
 * The sockets of `node:dgram` below ours, for tests of what only they can cause.
 *
 * @module
 */
import dgram from "node:dgram";
import type { TestContext } from "node:test";
import { bind } from "@landline/sockets";

/** Those that are made from now on until the test is over. */
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
 * Resolves when a datagram has come that is sent now: those sent before on this machine have come too, and refusals of
 * them.
 */
export async function arrivals(): Promise<void> {
  await using probe = await bind({ host: "127.0.0.1" });
  await probe.send("", probe.address);
  await probe.receive({ timeoutMs: 30_000 });
}

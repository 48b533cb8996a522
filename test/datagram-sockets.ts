/**
 * The sockets of `node:dgram` below ours, for tests of what only they can cause.
 *
 * @module
 */
import dgram from "node:dgram";
import type { TestContext } from "node:test";

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

/**
 * Two connected ends over loopback.
 *
 * @module
 */
import { type ConnectionOptions, connect, type ListenOptions, listen } from "@landline/sockets";
import { type ConnectionPair, pairOf } from "@landline/sockets/testing";

/** Both ends of a TCP connection, or of a Unix socket with `path`. Leaving the scope resets both. */
export async function connectionPair(
  options: { readonly client?: ConnectionOptions; readonly server?: ListenOptions; readonly path?: string } = {},
): Promise<ConnectionPair> {
  const where = options.path === undefined ? { host: "127.0.0.1" } : { path: options.path };
  await using listener = await listen({ ...where, ...options.server });
  const [client, server] = await Promise.all([
    connect({ ...listener.address, ...options.client }),
    listener.accept({ timeoutMs: 10_000 }),
  ]);
  return pairOf(client, server);
}

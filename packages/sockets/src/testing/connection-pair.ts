import type { Connection, ConnectionOptions } from "../tcp/mod.ts";

/** Two connected ends: the client and the accepted connection. Leaving its scope resets both. */
export interface ConnectionPair extends AsyncDisposable {
  readonly client: Connection;
  readonly server: Connection;
}

/** Options of the two connections of a pair. */
export interface ConnectionPairOptions {
  readonly client?: ConnectionOptions | undefined;
  readonly server?: ConnectionOptions | undefined;
}

/**
 * Creates a pair from two connected ends. Leaving its scope resets both, and then disposes of `around` in order, such
 * as a listener and a link.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@landline/sockets";
 * import { pairOf } from "@landline/sockets/testing";
 * import assert from "node:assert/strict";
 *
 * await using listener = await listen({ host: "127.0.0.1" });
 * await using pair = pairOf(await connect(listener.address), await listener.accept());
 * await pair.client.write("hello");
 * assert.equal(String(await pair.server.readExactly(5)), "hello");
 * ```
 */
export function pairOf(
  client: Connection,
  server: Connection,
  around: readonly AsyncDisposable[] = [],
): ConnectionPair {
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.reset();
      server.reset();
      await Promise.all([client.closed, server.closed]);
      for (const each of around) await each[Symbol.asyncDispose]();
    },
  };
}

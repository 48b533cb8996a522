import type { Connection, ConnectionOptions } from "../tcp/mod.ts";

/** Two connected ends, one that connected and one that accepted. Leaving its scope breaks both. */
export interface ConnectionPair extends AsyncDisposable {
  readonly client: Connection;
  readonly server: Connection;
}

/** How much the ends of a pair store, and how long they take to close. */
export interface ConnectionPairOptions {
  readonly client?: ConnectionOptions | undefined;
  readonly server?: ConnectionOptions | undefined;
}

/**
 * Makes a pair of two connected ends. When its scope is left both are reset, and then what is `around` them is closed, in
 * this order: a listener, a link.
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

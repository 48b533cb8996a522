import { Connection } from "../tcp/mod.ts";
import { type ConnectionPair, type ConnectionPairOptions, pairOf } from "./connection-pair.ts";
import { MemoryStream } from "./memory-stream.ts";

/** Options for {@link memoryPair}. */
export interface MemoryPairOptions extends ConnectionPairOptions {
  /** Size of each end's receive buffer, in bytes, like that of a kernel. At least 1. @default 65536 */
  readonly bufferBytes?: number | undefined;
}

/**
 * Creates two connected ends in memory, without a port. They behave like TCP, including backpressure, half-close,
 * lingering and resets, but have no addresses. Nothing is delivered synchronously: bytes arrive in a later turn of the
 * event loop. Delivery uses no timers, so mocked timers do not stop it.
 *
 * @throws {RangeError} when `bufferBytes` is not a whole number of 1 or more, or a connection option is invalid.
 *
 * @example
 * ```ts
 * import { memoryPair } from "@landline/sockets/testing";
 * import assert from "node:assert/strict";
 *
 * await using pair = memoryPair();
 * await pair.client.write("hello");
 * pair.client.closeWrite();
 * assert.equal(String(await pair.server.readExactly(5)), "hello");
 * assert.equal(await pair.server.read(), null);
 * ```
 */
export function memoryPair(options: MemoryPairOptions = {}): ConnectionPair {
  const { bufferBytes = 65_536 } = options;
  if (!Number.isSafeInteger(bufferBytes) || bufferBytes < 1) {
    throw new RangeError(`bufferBytes must be a whole number of 1 or more: ${bufferBytes}`);
  }
  const [one, other] = MemoryStream.pair(bufferBytes);
  const client = new Connection(one, options.client);
  const server = new Connection(other, options.server);
  client.opened("established");
  server.opened("established");
  return pairOf(client, server);
}

import { Connection } from "../tcp/mod.ts";
import { type ConnectionPair, type ConnectionPairOptions, pairOf } from "./connection-pair.ts";
import { MemoryStream } from "./memory-stream.ts";

/** Options for {@link memoryPair}. */
export interface MemoryPairOptions extends ConnectionPairOptions {
  /** What each end receives before anyone reads it, in bytes: a kernel's receive buffer. @default 65536 */
  readonly bufferBytes?: number | undefined;
}

/**
 * Two connected ends without a port: for tests of what talks over a connection. They behave as over TCP, backpressure,
 * half-close, lingering and resets included; addresses they have none. Nothing is delivered while the writer's own code
 * runs: bytes take a turn of the event loop, and no time, so mocked timers do not hold them up.
 *
 * @throws {RangeError} when an option lets nothing through.
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

import type { Connection } from "./tcp/connection.ts";

/** A connection as a pair of Web Streams. */
export interface WebStreams {
  /** Bytes from the peer. Closes when the peer finishes. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Accepts bytes, and text as UTF-8. Closing it finishes our side. */
  readonly writable: WritableStream<Uint8Array | string>;
}

/**
 * Wraps a connection in Web Streams, for `pipeTo`, `pipeThrough` and other APIs of streams. They read and write with
 * the connection's own `read` and `write`: with the same backpressure and the same errors. Nothing is read ahead.
 *
 * The connection closes when the readable has ended and the writable is closed. Cancelling the readable or aborting the
 * writable resets it.
 *
 * @example
 * ```ts
 * import { connect, serve, webStreams } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({}, async (connection) => {
 *   const { readable, writable } = webStreams(connection);
 *   await readable.pipeTo(writable);
 * });
 * const { readable, writable } = webStreams(await connect(server.address));
 * const writer = writable.getWriter();
 * await writer.write("hello");
 * await writer.close();
 * assert.equal(await new Response(readable).text(), "hello");
 * ```
 */
export function webStreams(connection: Connection): WebStreams {
  const readable = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const chunk = await connection.read();
        if (chunk === null) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => connection.reset(),
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Uint8Array | string>({
    write: (chunk) => connection.write(chunk),
    close: async () => {
      connection.closeWrite();
      await connection.flush();
    },
    abort: () => connection.reset(),
  });
  return { readable, writable };
}

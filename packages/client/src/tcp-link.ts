import { type Connection, connect, framed, lines, SocketError } from "@landline/sockets";
import type { LinkHandlers, OpenLink } from "./link.ts";

export type { Link, LinkHandlers, OpenLink } from "./link.ts";

/** Longest line from the server. One `history` answer holds many messages. */
const LINE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Opens links over TCP, one message per line. A line from the server of more than 16 MiB ends the link.
 *
 * @example
 * ```ts
 * const client = new ChatClient(tcpLink({ host: "localhost", port: 8083 }));
 * ```
 */
export function tcpLink(address: { readonly host: string; readonly port: number }): OpenLink {
  return async (handlers, signal) => {
    const connection = await connect({ host: address.host, port: address.port, signal });
    void read(connection, handlers);
    return {
      send: (text) => {
        connection.send(`${text}\n`);
      },
      close: () => {
        void connection.close();
      },
    };
  };
}

async function read(connection: Connection, handlers: LinkHandlers): Promise<void> {
  try {
    for await (const line of framed(connection, lines({ bytesMax: LINE_BYTES_MAX }))) handlers.message(line);
    handlers.close(undefined);
  } catch (error) {
    // `closed` is this side's own close.
    if (error instanceof SocketError && error.code === "closed") handlers.close(undefined);
    else handlers.close(error instanceof Error ? error : new Error(String(error)));
  } finally {
    void connection.close();
  }
}

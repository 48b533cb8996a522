import { bind, SocketError, type UdpAddress, type UdpSocket } from "@landline/sockets";
import { note } from "../terminal/mod.ts";

const PREFIX = Buffer.from("UDP Echo: ");
/** Attempts to find a port that is free on both loopback addresses. */
const PORT_ATTEMPTS = 16;

/** Answers each datagram with `UDP Echo: ` and the datagram. */
export class UdpEcho {
  readonly address: UdpAddress;
  readonly #sockets: readonly UdpSocket[];

  private constructor(address: UdpAddress, sockets: readonly UdpSocket[]) {
    this.address = address;
    this.#sockets = sockets;
    for (const socket of sockets) void answer(socket);
  }

  /** For `localhost` it listens on both loopback addresses, with the same port. */
  static async open({ host, port }: UdpAddress): Promise<UdpEcho> {
    if (host !== "localhost") {
      const socket = await bind({ host, port });
      return new UdpEcho(socket.address, [socket]);
    }
    for (let attempt = 1; ; attempt += 1) {
      const socket = await bind({ host: "127.0.0.1", port });
      const address = { host, port: socket.address.port };
      try {
        return new UdpEcho(address, [socket, await bind({ host: "::1", port: address.port })]);
      } catch (error) {
        const code = error instanceof SocketError ? error.code : "system";
        // A machine without IPv6 has one loopback address.
        if (code === "address-not-available" || code === "system") return new UdpEcho(address, [socket]);
        await socket.close();
        if (code !== "address-in-use" || port !== 0 || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()));
  }
}

async function answer(socket: UdpSocket): Promise<void> {
  while (socket.state === "bound") {
    try {
      for await (const { data, from } of socket) await socket.send(Buffer.concat([PREFIX, data]), from);
    } catch (error) {
      // The answer is too long for a datagram, or the peer is unreachable. Serve the next datagram.
      if (socket.state === "bound" && error instanceof SocketError) note(`UDP echo: ${error.message}`);
    }
  }
}

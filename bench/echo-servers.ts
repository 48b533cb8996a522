// The echo servers that several benchmarks compare.
import net from "node:net";
import { serve } from "@landline/sockets";
import { listen, portOf, type Role } from "./processes.ts";

const host = "127.0.0.1";

export const rawEcho: Role = () =>
  listen(
    net.createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => void socket.write(chunk));
    }),
  );

export const rawPulledEcho: Role = () =>
  listen(
    net.createServer({ noDelay: true }, async (socket) => {
      socket.on("error", () => undefined);
      try {
        for await (const chunk of socket) socket.write(chunk);
      } catch {
        // The load generator has disconnected.
      }
    }),
  );

export const pushedEcho: Role = async () =>
  portOf(await serve({ host }, { data: (connection, chunk) => void connection.send(chunk) }));

export const pulledEcho: Role = async () =>
  portOf(
    await serve({ host }, async (connection) => {
      for await (const chunk of connection) await connection.write(chunk);
    }),
  );

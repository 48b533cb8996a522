// TCP echo servers with handlers (push) and with reads (pull), compared with raw node:net. Each round starts a new process.
// Run: node --conditions=@landline/source bench/echo.ts [--load PATH] [--peers DIR] [--rounds 7] [--seconds 2] [--only TEXT]
import net from "node:net";
import { type Connection, serve } from "@landline/sockets";
import { pulledEcho, pushedEcho, rawEcho, rawPulledEcho } from "./echo-servers.ts";
import { options, printTable, takeTurns } from "./measure.ts";
import { importPeer, PEER_FLAGS } from "./peers.ts";
import { listen, measureServer, portOf, type Role, takeRole } from "./processes.ts";

const host = "127.0.0.1";

const servers: Record<string, Role> = {
  "raw node:net": rawEcho,
  "push: data, send": pushedEcho,
  "pull: for await, write": pulledEcho,
  "pull: read, write": async () => portOf(await serve({ host }, readAndWrite)),
  "raw node:net, for await": rawPulledEcho,
};

const peers: Record<string, Role> = {
  "promise-socket": async () => {
    const { PromiseSocket } = await importPeer("promise-socket");
    return listen(
      net.createServer({ noDelay: true }, async (socket) => {
        const peer = new PromiseSocket(socket);
        try {
          for (let chunk = await peer.read(); chunk !== undefined; chunk = await peer.read()) await peer.write(chunk);
        } catch {
          // The load generator has disconnected.
        }
      }),
    );
  },
};

const questions: Record<string, readonly string[]> = {
  "64 bytes, 1 connection, 1 in flight": ["-c", "1", "-b", "64", "-q", "1"],
  "64 bytes, 64 connections, 1 in flight each": ["-c", "64", "-b", "64", "-q", "1"],
  "64 bytes, 16 connections, 64 in flight each": ["-c", "16", "-b", "64", "-q", "64"],
  "64 KiB, 4 connections, 4 in flight each": ["-c", "4", "-b", "65536", "-q", "4"],
};

async function readAndWrite(connection: Connection): Promise<void> {
  for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read()) {
    await connection.write(chunk);
  }
}

if (!(await takeRole({ ...servers, ...peers }))) {
  const names = Object.keys(options.peers === undefined ? servers : { ...servers, ...peers });
  for (const [title, load] of Object.entries(questions)) {
    if (!title.includes(options.only)) continue;
    const samples = await takeTurns(names, (name) => measureServer([name], load, PEER_FLAGS));
    printTable(title, samples, "raw node:net");
  }
}

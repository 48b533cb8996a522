// UDP echo servers, compared with raw node:dgram. A single lost datagram fails the run.
// Run: node --conditions=@landline/source bench/udp.ts [--load PATH] [--rounds 7] [--seconds 2] [--only TEXT]
import dgram from "node:dgram";
import { once } from "node:events";
import { bind } from "@landline/sockets";
import { options, printTable, takeTurns } from "./measure.ts";
import { measureServer, portOf, type Role, takeRole } from "./processes.ts";

const host = "127.0.0.1";

const servers: Record<string, Role> = {
  "raw node:dgram": async () => {
    const socket = dgram.createSocket("udp4");
    socket.on("message", (data, { port, address }) => socket.send(data, port, address));
    socket.bind(0, host);
    await once(socket, "listening");
    return { port: socket.address().port };
  },
  "push: datagram, trySend": async () => {
    const socket = await bind({ host });
    socket.handle({ datagram: (socket, { data, from }) => void socket.trySend(data, from) });
    return portOf(socket);
  },
  "pull: for await, await send": async () => {
    const socket = await bind({ host });
    void (async () => {
      for await (const { data, from } of socket) await socket.send(data, from);
    })();
    return portOf(socket);
  },
  "pull: for await, trySend": async () => {
    const socket = await bind({ host });
    void (async () => {
      for await (const { data, from } of socket) socket.trySend(data, from);
    })();
    return portOf(socket);
  },
};

const questions: Record<string, readonly string[]> = {
  "64 bytes, 1 socket, 1 in flight": ["-U", "-c", "1", "-b", "64", "-q", "1"],
  "64 bytes, 16 sockets, 8 in flight each": ["-U", "-c", "16", "-b", "64", "-q", "8"],
  // All datagrams in flight must fit into the server's receive buffer: the kernel drops the others.
  "1,400 bytes, 16 sockets, 4 in flight each": ["-U", "-c", "16", "-b", "1400", "-q", "4"],
};

if (!(await takeRole(servers))) {
  for (const [title, load] of Object.entries(questions)) {
    if (!title.includes(options.only)) continue;
    const samples = await takeTurns(Object.keys(servers), (name) => measureServer([name], load));
    printTable(title, samples, "raw node:dgram");
  }
}

// A minimal room server in plain node:net, to compare Landline's fan-out with. It checks nothing, stores nothing and
// trusts every client. Run: node bench/plain-room-server.ts PORT
import { createServer, type Socket } from "node:net";

interface Room {
  readonly name: string;
  readonly members: Set<Socket>;
  pending: { readonly from: Socket; readonly line: string }[];
}

const WRITES_PER_SLICE = 64;
const rooms = new Map<string, Room>();
let dirty: Room[] = [];

createServer({ noDelay: true }, (socket) => {
  let room: Room | undefined;
  let name = "";
  let rest = "";
  socket.on("error", () => undefined);
  socket.on("close", () => room?.members.delete(socket));
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.type === "join") {
        name = message.username;
        room = roomOf(message.room);
        room.members.add(socket);
        socket.write('{"type":"notification","message":"joined"}\n');
      } else if (room !== undefined) {
        const text = JSON.stringify(message.message);
        const json = `{"type":"chat","username":"${name}","room":"${room.name}","message":${text}}\n`;
        if (room.pending.push({ from: socket, line: json }) === 1) schedule(room);
      }
    }
  });
}).listen(Number(process.argv[2] ?? 18084), "127.0.0.1");

function roomOf(name: string): Room {
  const room = rooms.get(name) ?? { name, members: new Set(), pending: [] };
  rooms.set(name, room);
  return room;
}

function schedule(room: Room): void {
  if (dirty.push(room) === 1) setImmediate(slice);
}

function slice(): void {
  const rest = dirty;
  dirty = [];
  let writes = 0;
  while (rest.length > 0 && writes < WRITES_PER_SLICE) writes += flush(rest.shift() as Room);
  dirty = [...rest, ...dirty];
  if (dirty.length > 0) setImmediate(slice);
}

function flush(room: Room): number {
  const events = room.pending;
  room.pending = [];
  const bytes = Buffer.from(events.map(({ line }) => line).join(""));
  const own = new Map<Socket, number[]>();
  let end = 0;
  for (const { from, line } of events) {
    own.set(from, [...(own.get(from) ?? []), end, end + line.length]);
    end += line.length;
  }
  for (const member of room.members) {
    let from = 0;
    const borders = own.get(member) ?? [];
    for (let i = 0; i < borders.length; i += 2) {
      if ((borders[i] as number) > from) member.write(bytes.subarray(from, borders[i]));
      from = borders[i + 1] as number;
    }
    if (from < bytes.length) member.write(bytes.subarray(from));
  }
  return room.members.size;
}

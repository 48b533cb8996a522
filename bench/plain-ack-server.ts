// A plain node:net server that splits lines and acknowledges chat messages. It stores and forwards nothing. The result of
// `acks` against it is the limit that the load generator and the kernel set for a real server.
// Run: node bench/plain-ack-server.ts PORT
import { createServer } from "node:net";

const ANSWERS: Readonly<Record<string, string>> = {
  hello: '{"type":"hello","version":2}\n',
  join: '{"type":"joined"}\n',
  chat: '{"type":"ack","id":"0","room":"a","seq":1,"at":1}\n',
};

createServer({ noDelay: true }, (socket) => {
  let rest = "";
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    socket.write(lines.map((line) => ANSWERS[line.slice(9, line.indexOf('"', 9))] ?? "").join(""));
  });
}).listen(Number(process.argv[2] ?? 18085), "127.0.0.1");

// Prints each state that a client's connection goes through. Run: npm run example examples/states.ts
import { subscribe } from "node:diagnostics_channel";
import { connect, type StateChange, serve } from "@landline/sockets";

await using server = await serve({ port: 0 }, async (connection) => {
  for await (const chunk of connection) await connection.write(chunk);
});

subscribe("landline:connection", (message) => {
  const { from, to, remote, reason } = message as StateChange;
  // The server's end of the connection is published too; its peer's port is another one.
  if (remote?.port !== server.address.port) return;
  console.log(`${from} -> ${to}${reason === undefined ? "" : ` (${reason})`}`);
});

const connection = await connect(server.address);
await connection.write("hello");
await connection.readExactly(5);
connection.closeWrite();
// Null: the peer finished too.
while ((await connection.read()) !== null);
await connection.close();

// Prints each state change of a client's connection. Run: npm run example examples/states.ts
import { subscribe } from "node:diagnostics_channel";
import { connect, type StateChange, serve } from "@landline/sockets";

await using server = await serve({ port: 0 }, async (connection) => {
  for await (const chunk of connection) await connection.write(chunk);
});

subscribe("landline:connection", (message) => {
  const { from, to, remote, reason } = message as StateChange;
  // Skip the server's end of the connection: its remote port is the client's.
  if (remote?.port !== server.address.port) return;
  console.log(`${from} -> ${to}${reason === undefined ? "" : ` (${reason})`}`);
});

const connection = await connect(server.address);
await connection.write("hello");
await connection.readExactly(5);
connection.closeWrite();
// Read until null: the peer has finished, too.
while ((await connection.read()) !== null);
await connection.close();

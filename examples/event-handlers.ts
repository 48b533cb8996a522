// One set of event handlers for all connections. Run: npm run example examples/event-handlers.ts
import { type ConnectionHandlers, connect, serve } from "@landline/sockets";

let open = 0;
const handlers: ConnectionHandlers = {
  open: () => {
    open += 1;
  },
  data: (connection, chunk) => {
    // False: the peer reads more slowly than it writes. Stop reading from it until `drain`.
    if (!connection.send(chunk)) connection.pause();
  },
  drain: (connection) => connection.resume(),
  close: () => {
    open -= 1;
  },
};
await using server = await serve({ port: 0 }, handlers);

const connections = await Promise.all(["ann", "bob", "eve"].map(() => connect(server.address)));
for (const [index, connection] of connections.entries()) {
  await connection.write(`hello ${index}`);
  console.log(Buffer.from(await connection.readExactly(7)).toString());
}
console.log(`${open} connections`);
await Promise.all(connections.map((connection) => connection.close()));

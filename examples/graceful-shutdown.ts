// A server that waits for its handlers before it closes. Run: npm run example examples/graceful-shutdown.ts
import { once } from "node:events";
import { connect, serve } from "@landline/sockets";

const server = await serve({ port: 0 }, async (connection, signal) => {
  await connection.write("working\n");
  if (!signal.aborted) await once(signal, "abort");
  await connection.write("done\n");
});

// In a real server: process.once("SIGTERM", () => void server.shutdown({ timeoutMs: 10_000 }));
const connection = await connect(server.address);
process.stdout.write(await connection.readUntil("\n"));

const stopped = server.shutdown({ timeoutMs: 10_000 });
process.stdout.write(await connection.readUntil("\n"));
await connection.close();
console.log(await stopped);

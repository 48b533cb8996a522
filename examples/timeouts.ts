// A read that times out loses no data, and an abort ends a wait. Run: npm run example examples/timeouts.ts
import { connect, SocketError, serve } from "@landline/sockets";

const asked = Promise.withResolvers<void>();
await using server = await serve({ port: 0 }, async (connection) => {
  await connection.write("hel");
  await asked.promise;
  await connection.write("lo");
  await connection.read();
});

await using connection = await connect({ ...server.address, timeoutMs: 10_000 });
try {
  await connection.readExactly(5, { timeoutMs: 100 });
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  console.log(`${error.code}, and the connection is ${connection.state}`);
}
asked.resolve();
console.log(Buffer.from(await connection.readExactly(5, { timeoutMs: 5_000 })).toString());

const controller = new AbortController();
const reading = connection.read({ signal: controller.signal });
controller.abort(new Error("the user left"));
console.log(await reading.catch((error: Error) => error.message));

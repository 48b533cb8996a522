// Distinguishes errors by their code. Run: npm run example examples/errors.ts
import { connect, SocketError, serve } from "@landline/sockets";

await using server = await serve({ host: "127.0.0.1", port: 0 }, async (connection) => {
  await connection.read();
  connection.reset();
});
const { host, port } = server.address;

await report(() => serve({ host, port }, () => {}));
await report(async () => {
  await using connection = await connect({ host, port });
  await connection.write("hello");
  await connection.read();
});
await server.close();
await report(() => connect({ host, port }));
// Wrong arguments throw a RangeError or a TypeError before anything is sent.
await report(() => connect({ host, port: 70_000 }));

async function report(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const text = error.message.replaceAll(String(port), "PORT");
    console.log(error instanceof SocketError ? `${error.code}: ${text}` : `${error.name}: ${text}`);
  }
}

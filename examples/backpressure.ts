// A reader that is slower than its writer. Run: npm run example examples/backpressure.ts
import { connect, serve } from "@landline/sockets";

const block = new Uint8Array(64 * 1024);
const blocks = 512;
let bufferedMax = 0;

await using server = await serve({ port: 0 }, async (connection) => {
  for (let i = 0; i < blocks; i += 1) {
    // Waits while more than the high-water mark (64 KiB) is stored, so the memory does not grow with the data.
    await connection.write(block);
    bufferedMax = Math.max(bufferedMax, connection.bufferedBytes);
  }
});

await using connection = await connect(server.address);
let bytes = 0;
for await (const chunk of connection) {
  bytes += chunk.length;
  await new Promise((next) => setImmediate(next));
}
console.log(`${bytes / 2 ** 20} MiB arrived`);
console.log(`never more than 128 KiB stored by the writer: ${bufferedMax <= 128 * 1024}`);

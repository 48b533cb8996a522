// Length-prefixed frames in both directions. Run: npm run example examples/frames.ts
import { connect, framed, lengthPrefixed, serve } from "@landline/sockets";

await using server = await serve({ host: "localhost", port: 0 }, async (connection) => {
  const channel = framed(connection, lengthPrefixed());
  for await (const frame of channel) await channel.write(frame);
});

await using connection = await connect({ ...server.address, timeoutMs: 10_000 });
await connection.write(new Uint8Array([0, 0, 0, 2, 104, 105]));
const answer = await connection.readExactly(6, { timeoutMs: 1_000 });
console.log(Buffer.from(answer.subarray(4)).toString());

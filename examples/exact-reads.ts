// Reads a header and a body, in any number of pieces. Run: npm run example examples/exact-reads.ts
import { connect, SocketError, serve } from "@landline/sockets";

await using server = await serve({ port: 0 }, async (connection) => {
  // A whole message in three pieces, then a header with 5 of its 10 body bytes.
  for (const piece of ["\0\0", "\0\x05he", "llo", "\0\0\0\x0athree"]) {
    await connection.write(piece);
    await connection.flush();
  }
});

await using connection = await connect(server.address);
console.log(Buffer.from(await readMessage()).toString());
try {
  await readMessage();
} catch (error) {
  if (!(error instanceof SocketError) || error.code !== "end-of-stream") throw error;
  console.log(`${error.code}: ${error.partial?.length} of ${error.expected} bytes`);
}

async function readMessage(): Promise<Uint8Array> {
  const header = await connection.readExactly(4);
  return connection.readExactly(Buffer.from(header).readUInt32BE());
}

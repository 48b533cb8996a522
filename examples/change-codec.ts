// Switches from lines to length-prefixed frames on one connection. Run: npm run example examples/change-codec.ts
import { connect, framed, lengthPrefixed, lines, serve } from "@landline/sockets";

// framesMax 1 decodes one line at a time: the bytes after it may be frames of the next codec.
await using server = await serve({ port: 0 }, async (connection) => {
  const greeting = framed(connection, lines(), { framesMax: 1 });
  for await (const line of greeting) {
    if (line !== "BINARY") {
      await greeting.write(`unknown command: ${line}`);
      continue;
    }
    await greeting.write("OK");
    const channel = greeting.changeCodec(lengthPrefixed());
    for await (const frame of channel) await channel.write(frame);
  }
});

await using connection = await connect(server.address);
const greeting = framed(connection, lines(), { framesMax: 1 });
// A frame may follow the line in the same packet.
await greeting.write("hello");
await greeting.write("BINARY");
await connection.write(["\0\0\0\x0c", "line\nor line"]);
for (const _ of ["hello", "BINARY"]) console.log(await greeting.next({ timeoutMs: 5_000 }));

const channel = greeting.changeCodec(lengthPrefixed());
console.log(JSON.stringify(String(await channel.next({ timeoutMs: 5_000 }))));

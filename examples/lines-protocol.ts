// A small protocol of text lines. Run: npm run example examples/lines-protocol.ts
import { connect, framed, lines, serve } from "@landline/sockets";

const stock = new Map([["apples", 12]]);

await using server = await serve({ port: 0 }, async (connection) => {
  const channel = framed(connection, lines({ bytesMax: 200 }));
  for await (const line of channel) {
    const [command, name = "", count] = line.split(" ");
    if (command === "add") stock.set(name, (stock.get(name) ?? 0) + Number(count));
    await channel.write(command === "quit" ? "bye" : `${name} ${stock.get(name) ?? 0}`);
    if (command === "quit") return;
  }
});

await using connection = await connect(server.address);
const channel = framed(connection, lines());
// One line in two chunks, and two lines in one chunk: the codec decodes all three.
await connection.write("count app");
await connection.write("les\nadd pears 3\nquit\n");
for await (const answer of channel.frames({ timeoutMs: 5_000 })) console.log(answer);

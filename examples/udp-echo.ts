// Two UDP sockets; the second answers the first. Run: npm run example examples/udp-echo.ts
import { bind } from "@landline/sockets";

await using server = await bind({ host: "localhost", port: 0 });
const serving = (async () => {
  for await (const { data, from } of server) await server.send(`You said: ${Buffer.from(data)}`, from);
})();

await using client = await bind();
await client.send("hello", server.address);
// A real network may lose datagrams: without a timeout the wait may never end.
const { data } = await client.receive({ timeoutMs: 5_000 });
console.log(Buffer.from(data).toString());

await server.close();
await serving;

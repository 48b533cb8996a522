// A TCP echo server and its client. Run: npm run example examples/tcp-echo.ts
import { connect, serve } from "@landline/sockets";

// The function runs once per connection. When it returns, the connection closes.
await using server = await serve({ host: "localhost", port: 0 }, async (connection) => {
  for await (const chunk of connection) await connection.write(["You said: ", chunk]);
});

await using connection = await connect({ ...server.address, timeoutMs: 10_000 });
await connection.write("hello");
const answer = await connection.readExactly("You said: hello".length, { timeoutMs: 5_000 });
console.log(Buffer.from(answer).toString());

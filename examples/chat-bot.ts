// A chat bot that answers in a room. Starts its own server. Run: npm run example examples/chat-bot.ts
import { ChatClient } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import { startServer } from "@landline/server";

await using server = await startServer({ port: 0 });
const { host = "localhost", port = 0 } = server.address;

await using bot = new ChatClient(tcpLink({ host, port }), { username: "bot" });
let answer: Promise<unknown> = Promise.resolve();
bot.on((event) => {
  if (event.type === "message") answer = bot.chat(event.message.room, `You said: ${event.message.message}`);
});
await bot.connect();
await bot.join("lobby");

await using ann = new ChatClient(tcpLink({ host, port }), { username: "ann" });
const answered = new Promise<string>((resolve) => {
  ann.on((event) => {
    if (event.type === "message") resolve(event.message.message);
  });
});
await ann.connect();
await ann.join("lobby");
await ann.chat("lobby", "hello");
console.log(await answered);
// Wait until the server has stored the answer: closing the client earlier rejects it.
await answer;

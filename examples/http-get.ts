// Sends an HTTP GET to a local server. Run: npm run example examples/http-get.ts
import { serve } from "@landline/sockets";
import { get } from "@landline/sockets/http";

await using server = await serve({ port: 0 }, async (connection) => {
  const head = await connection.readUntil("\r\n\r\n", { bytesMax: 8_192, timeoutMs: 5_000 });
  const [, path = ""] = Buffer.from(head).toString("latin1").split(" ");
  const body = JSON.stringify({ path });
  await connection.write([
    path === "/missing" ? "HTTP/1.1 404 Not Found\r\n" : "HTTP/1.1 200 OK\r\n",
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`,
    body,
  ]);
});

for (const path of ["/hello?to=world", "/missing"]) {
  const response = await get(`http://localhost:${server.address.port}${path}`, { timeoutMs: 10_000 });
  console.log(response.status, response.headers.get("content-type"), await response.json());
}

// A line protocol that switches to TLS on request (STARTTLS). Run: npm run example examples/start-tls.ts
import { readFileSync } from "node:fs";
import { connect, serve } from "@landline/sockets";

// A self-signed certificate for localhost, for tests only.
const read = (name: string) => readFileSync(new URL(`../test/fixtures/localhost-${name}.pem`, import.meta.url));
const secrets = { cert: read("cert"), key: read("key") };

await using server = await serve({ host: "localhost", port: 0 }, async (connection) => {
  for (;;) {
    const line = String(await connection.readUntil("\n")).trimEnd();
    if (line === "QUIT") return;
    await connection.write(`you said ${line}\n`);
    // The answer is plain text; everything after it is encrypted. Send nothing in between.
    if (line === "STARTTLS") await connection.startTls({ isServer: true, ...secrets, timeoutMs: 10_000 });
  }
});

await using connection = await connect({ ...server.address, timeoutMs: 10_000 });
for (const line of ["hello", "STARTTLS", "a secret"]) {
  await connection.write(`${line}\n`);
  console.log(String(await connection.readUntil("\n")).trimEnd());
  if (line === "STARTTLS") await connection.startTls({ ca: secrets.cert, timeoutMs: 10_000 });
}
console.log(connection.peerCertificate?.subject);
await connection.write("QUIT\n");

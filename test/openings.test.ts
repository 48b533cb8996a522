/**
 * The first bytes of a connection, in every protocol that may reach the port, with parts that a third party chose. Tests
 * the outcome of each. No room may receive any of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { describe, test } from "node:test";
import tls from "node:tls";
import { TestServer } from "./chat-server.ts";
import { failOnLeaks } from "./leaks.ts";
import type { RawClient } from "./raw-client.ts";
import { fc } from "./seed.ts";
import { until } from "./until.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };
/** Longer than any test takes. */
const NEVER_MS = 1_000_000;
const LONG = process.env.LANDLINE_LONG === "1";

const JOIN = JSON.stringify({ type: "join", room: "lobby", username: "Mallory" });
const CHAT = JSON.stringify({ type: "chat", message: "forged" });
/** Chat lines that an attacker tries to inject. */
const LINES = `\n${JOIN}\n${CHAT}\n`;
/** The same, length-prefixed. */
const PREFIXED = Buffer.concat([prefixed(JOIN), prefixed(CHAT)]);

/** The outcome: an HTTP response, an error that ends the connection, or a chat. HTTP after the welcome is refused. */
type Outcome = "HTTP" | "refused" | "chat";

interface Opening {
  /** The row in the table of docs/operations.md. */
  readonly kind: string;
  readonly bytes: string | Uint8Array;
  readonly outcome: Outcome;
}

const HOST = "Host: 127.0.0.1\r\n";
const TEXT = "Content-Type: text/plain\r\n";
const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "CONNECT",
  "PROPFIND",
  "M-SEARCH",
];
const ODD_METHODS = ["get", "NICK", "JOIN", "hello", "x", "X-Y", "!#$%&'*+.^_`|~9", "A".repeat(2_000)];

/** The tests send both kinds of chat lines after each of these. */
const OPENINGS: readonly Opening[] = [
  ...[...METHODS, ...ODD_METHODS].flatMap((method) => [
    http(`${method} / HTTP/1.1\r\n${HOST}${TEXT}Content-Length: 400\r\n\r\n`, method),
    http(`${method} http://127.0.0.1/ws HTTP/1.1\r\n${HOST}\r\n`, method),
    http(`${method} /?{"type":"join"} HTTP/1.1\r\n${HOST}\r\n`, method),
  ]),
  http(`\r\n\r\nPOST / HTTP/1.1\r\n${HOST}\r\n`),
  http(`\n\r\rPOST / HTTP/1.1\r\n${HOST}\r\n`),
  http(`POST * HTTP/1.1\r\n${HOST}\r\n`),
  http(`POST HTTPS://x/ HTTP/1.1\r\n${HOST}\r\n`),
  http(`POST / HTTP/1.1\r\nX: 1\r\n${LINES}`),
  http(`POST / HTTP/1.1\n${LINES}`),
  http("GET /\r\n"),
  http(`GET /${LINES}`),
  http("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  refused("HTTP/1.x", `POST  / HTTP/1.1\r\n${HOST}\r\n`),
  refused("HTTP/1.x", `POST\t/ HTTP/1.1\r\n${HOST}\r\n`),
  refused("HTTP/1.x", ` POST / HTTP/1.1\r\n${HOST}\r\n`),
  refused("HTTP/1.x", `POST {"a":1} HTTP/1.1\r\n${HOST}\r\n`),
  refused("HTTP/1.x", "POST http\n"),
  refused("HTTP/1.x", "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"),
  refused("HTTP/1.x", "PO\u0000ST / HTTP/1.1\r\n"),
  refused("HTTP/2, cleartext", Buffer.from("00000c04000000000000030000006400040000ffff", "hex")),
  refused("TLS", clientHello()),
  refused("TLS", Buffer.from("805801030100390000001000001600001300000a", "hex")),
  refused("TURN, STUN", stun(0x0003)),
  refused("TURN, STUN", stun(0x0001)),
  refused("TURN, STUN", Buffer.concat([u16(stun(0x0001).length), stun(0x0001)])),
  refused("TURN, STUN", Buffer.from("4000004a21", "hex")),
  // RFC 3489 has no magic cookie: random bytes follow the length.
  refused("TURN, STUN", Buffer.concat([Buffer.from("00010000", "hex"), Buffer.from("{".padEnd(65_536, "x"))])),
  refused("SMTP, LMTP", "EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
  refused("SMTP, LMTP", "LHLO x\r\n"),
  refused("FTP", "USER anonymous\r\nPASS x\r\nPORT 127,0,0,1,31,147\r\n"),
  refused("FTP", "PORT 127,0,0,1,31,147\r\n"),
  refused("FTP", "FEAT\r\nUSER x\r\nSTOR\r\n"),
  refused("POP3, IMAP, NNTP", "CAPA\r\nUSER x\r\n"),
  refused("POP3, IMAP, NNTP", "a1 LOGIN x {600}\r\n"),
  refused("POP3, IMAP, NNTP", "MODE READER\r\nPOST\r\n"),
  refused("SSH", "SSH-2.0-OpenSSH_9.9 {}\r\n"),
  refused("RTSP, SIP", "OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
  refused("RTSP, SIP", "INVITE sip:x@y SIP/2.0\r\nContent-Length: 400\r\n\r\n"),
  refused("Redis", `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${LINES.length}\r\n`),
  refused("Redis", "PING\r\nSET k \r\n"),
  refused("Redis", "PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400\r\n"),
  refused("memcached", "set k 0 0 400\r\n"),
  refused("memcached", "version\r\nset k 0 0 400\r\n"),
  refused("memcached", Buffer.from("800100010800000000000190000000000000000000000000", "hex")),
  refused("PROXY protocol", "PROXY TCP4 10.0.0.1 10.0.0.2 1 8083\r\n"),
  refused("PROXY protocol", "PROXY UNKNOWN\r\n"),
  refused("PROXY protocol", Buffer.from("0d0a0d0a000d0a515549540a2111000c0a0000010a00000200011f93", "hex")),
  refused("SOCKS", Buffer.from("04011f937f000001", "hex")),
  refused("SOCKS", Buffer.from("050100", "hex")),
  refused("Gopher, finger, whois", "/selector\r\n"),
  refused("Gopher, finger, whois", "example.org\r\n"),
  refused("IRC", "CAP LS 302\r\nNICK x\r\nUSER x 0 * :x\r\n"),
  refused("IRC", "NICK x\r\n"),
  refused("IRC", ":x PRIVMSG #lobby :hi\r\n"),
  refused("STOMP, NATS, MQTT", "CONNECT\naccept-version:1.2\nhost:x\n\n\0SEND\ndestination:x\n\n"),
  refused("STOMP, NATS, MQTT", 'CONNECT {"verbose":false}\r\nPUB x 400\r\n'),
  refused("STOMP, NATS, MQTT", Buffer.from("101400044d5154540402003c0008", "hex")),
  refused("syslog, log shippers", "<34>1 2026-11-28T10:00:00Z host app - - - x\n"),
  refused("syslog, log shippers", "2026-11-28T10:00:00Z INFO x\n"),
  refused("syslog, log shippers", "INFO: x\n"),
  refused("databases", Buffer.from("0000000804d2162f", "hex")),
  refused("databases", Buffer.from("00000054000300007573657200", "hex")),
  refused("databases", Buffer.from("3f0000000000000000000000d40700000000000061646d696e", "hex")),
  refused("clamd", "nINSTREAM\n\0\0\u0001\u0090"),
  refused("clamd", "zINSTREAM\0\0\0\u0001\u0090"),
  refused("language servers", "Content-Length: 400\r\n\r\n"),
  refused("SMB, Kerberos, DNS over TCP", Buffer.from("00000054fe534d4240000100", "hex")),
  refused("SMB, Kerberos, DNS over TCP", Buffer.from("000000546a81513081", "hex")),
  refused("SMB, Kerberos, DNS over TCP", Buffer.from("001d1234010000010000000000000761", "hex")),
  refused("a wrong length", Buffer.from("00000000", "hex")),
  refused("a wrong length", Buffer.from("000000000000004a7b", "hex")),
  refused("a wrong length", Buffer.concat([Buffer.from("ffffffff", "hex"), Buffer.from(JOIN)])),
  refused("a wrong length", Buffer.concat([Buffer.from("00010001", "hex"), Buffer.from(JOIN)])),
  refused("a wrong length", Buffer.concat([Buffer.from("00000040", "hex"), Buffer.from(LINES)])),
  refused("a wrong length", prefixed(` ${JOIN}`)),
  refused("a wrong length", prefixed("{")),
  refused("a wrong length", prefixed("{'type':'join'}")),
  refused("a wrong length", prefixed(`[${JOIN}]`)),
  refused("uwsgi", uwsgiRequest()),
  refused("other text", "not json"),
  refused("other text", "7\n"),
  refused("other text", '"text"\n'),
  refused("other text", "don't\n"),
  refused("other text", "\ufeff"),
  refused("other text", "é\n"),
  refused("other bytes", Buffer.from("00", "hex")),
  refused("other bytes", Buffer.from("ff", "hex")),
  refused("other bytes", Buffer.from("1b5b41", "hex")),
  { kind: "JSON", bytes: "", outcome: "chat" },
  { kind: "JSON", bytes: "\r\n \t\n", outcome: "chat" },
  { kind: "JSON", bytes: '{"type":"ping"}', outcome: "chat" },
  { kind: "JSON", bytes: "[1]", outcome: "chat" },
  { kind: "JSON", bytes: "{'a':1}", outcome: "chat" },
  { kind: "a word", bytes: "hello", outcome: "chat" },
  { kind: "a word", bytes: "hello\r\n\r\nQUIT\nnull\n", outcome: "chat" },
  { kind: "a word", bytes: `hello${JOIN}`, outcome: "chat" },
];

const PORT_OPENS = "| begins with | for example | answer |";

describe("openings", LIMIT, () => {
  const outcomes = Map.groupBy(OPENINGS, ({ kind }) => kind);
  for (const [kind, openings] of outcomes) {
    test(`${kind}: ${[...new Set(openings.map(({ outcome }) => outcome))].join(" or ")}`, async () => {
      await using server = await TestServer.start({ sniffMs: NEVER_MS });
      const room = await Room.watch(server);
      for (const { bytes, outcome } of openings) {
        await expectOutcome(server, room, bytes, outcome, (client) => client.send(bytes, LINES, PREFIXED));
      }
    });

    test(`${kind}, byte by byte with pauses`, async () => {
      await using server = await TestServer.start({ silentMs: 1, sniffMs: 1 });
      const room = await Room.watch(server);
      for (const { bytes, outcome } of openings) {
        await expectOutcome(server, room, bytes, outcome === "HTTP" ? "refused" : outcome, async (client) => {
          const all = Buffer.concat([Buffer.from(bytes as string), Buffer.from(LINES), PREFIXED]);
          for (let at = 0; at < 8 && !client.hasEnded; at += 1) {
            client.send(all.subarray(at, at + 1));
            await silence(server);
          }
          await client.sendApart([all.subarray(8, 20), all.subarray(20)]);
        });
      }
    });

    test(`${kind}, after the welcome`, async () => {
      await using server = await TestServer.start({ silentMs: 1, sniffMs: NEVER_MS });
      const room = await Room.watch(server);
      for (const { bytes, outcome } of openings) {
        await expectOutcome(server, room, bytes, outcome === "HTTP" ? "refused" : outcome, async (client) => {
          assert.equal((await client.next()).type, "welcome");
          client.send(bytes, LINES, PREFIXED);
        });
      }
    });
  }

  test("are all listed in docs/operations.md", () => {
    const text = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");
    const [, table = ""] = text.split(PORT_OPENS);
    const rows = table.split("\n\n")[0]?.split("\n").slice(2) ?? [];
    assert.deepEqual(rows.map((row) => row.split(" | ")[0]?.slice(2)).sort(), [...outcomes.keys()].sort());
  });
});

/** Parts of a request that a web page can choose. */
const chosen = fc.oneof(
  fc.constantFrom(
    JOIN,
    CHAT,
    LINES,
    "{",
    "{a",
    "[",
    "\n",
    "\r\n",
    "hello\n",
    "a".repeat(1_100),
    PREFIXED.toString("latin1"),
  ),
  fc.string({ maxLength: 20 }),
);
/** A request like a browser's. A browser would escape these parts in the target and headers. */
const request = fc
  .record({
    method: fc.constantFrom("GET", "POST", "PUT", "HELLO", "x-y"),
    target: fc.array(chosen, { maxLength: 3 }),
    headers: fc.array(chosen, { maxLength: 3 }),
    body: fc.array(chosen, { maxLength: 3 }),
  })
  .map(({ method, target, headers, body }) => {
    const fields = headers.map((value) => `X: ${value}\r\n`).join("");
    const text = `${method} /?${target.join("")} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n${fields}\r\n`;
    return Buffer.from(`${text}${body.join("")}${LINES}`, "latin1");
  });
/** The place of a cut, most often near the start. */
const cut = fc.record({ place: fc.oneof(fc.nat(8), fc.nat(80), fc.nat(6_000)), isSilent: fc.boolean() });

describe("HTTP on any connection", LIMIT, () => {
  test("reaches no room, with cuts and pauses anywhere", async () => {
    await using server = await TestServer.start({ silentMs: 1, sniffMs: 1 });
    const room = await Room.watch(server);
    const property = fc.asyncProperty(
      fc.boolean(),
      request,
      fc.array(cut, { maxLength: 4 }),
      async (isEarly, bytes, cuts) => {
        const client = await server.connect();
        if (isEarly) assert.equal((await client.next()).type, "welcome");
        let at = 0;
        for (const { place, isSilent } of cuts.sort((a, b) => a.place - b.place)) {
          await client.sendApart([bytes.subarray(at, place)]);
          at = Math.min(place, bytes.length);
          if (isSilent) await silence(server);
        }
        await client.sendApart([bytes.subarray(at)]);
        client.finish();
        await until(() => client.hasEnded, "the server ends a request");
        await client.close();
        await room.heardNothing(bytes.toString("latin1"));
      },
    );
    await fc.assert(property, { numRuns: LONG ? 10_000 : 300 });
  });

  test("reaches no room, with a target of any length", async () => {
    const limits = { frameBytesMax: 1_536, messageBytesMax: 512, topicBytesMax: 512 };
    await using server = await TestServer.start({ silentMs: 1, sniffMs: 1, limits });
    const room = await Room.watch(server);
    const lengths = Array.from({ length: limits.frameBytesMax + 200 }, (_, length) => length);
    const visit = async (): Promise<void> => {
      for (let length = lengths.pop(); length !== undefined; length = lengths.pop()) {
        const client = await server.connect();
        assert.equal((await client.next()).type, "welcome");
        const target = "{a".repeat(length).slice(0, length);
        // Send two pieces. If the length is even, the second one starts like JSON.
        client.send(`POST /${target}`);
        await client.sendApart([`{a HTTP/1.1\r\nHost: x\r\n\r\n${LINES}`]);
        await until(() => client.hasEnded, `the server ends a request with a target of ${length} characters`);
        await client.close();
      }
    };
    await Promise.all(Array.from({ length: 16 }, visit));
    await room.heardNothing("a request");
  });
});

describe("TLS with a session ticket that an attacker chose", LIMIT, () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`is refused and reaches no room (${version})`, async () => {
      const session = await chosenSession(version);
      const hello = await helloWith(session, version);
      assert.ok(hello.includes(LINES), "the client did not send the ticket unchanged");
      await using server = await TestServer.start({ silentMs: 1, sniffMs: 1 });
      const room = await Room.watch(server);

      const socket = tls.connect({
        host: "127.0.0.1",
        port: server.port,
        session,
        maxVersion: version,
        rejectUnauthorized: false,
      });
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      assert.equal(error.code, "ERR_SSL_WRONG_VERSION_NUMBER");
      await room.heardNothing("a hello");
      for (let at = 0; at < hello.length; at += 7) {
        await expectOutcome(server, room, hello, "refused", (client) =>
          client.sendApart([hello.subarray(0, at), hello.subarray(at)]),
        );
      }
    });
  }
});

/** A session whose ticket contains chat lines. A hostile server could issue it. */
async function chosenSession(version: "TLSv1.2" | "TLSv1.3"): Promise<Buffer> {
  const [cert, key] = ["cert", "key"].map((name) =>
    readFileSync(new URL(`fixtures/localhost-${name}.pem`, import.meta.url)),
  );
  const server = tls.createServer({ cert, key, maxVersion: version }, (socket) => socket.end("x"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ host: "127.0.0.1", port, maxVersion: version, rejectUnauthorized: false });
  client.resume();
  const [session] = (await once(client, "session")) as [Buffer];
  const ticket = client.getTLSTicket();
  await once(client, "close");
  server.close();
  assert.ok(ticket !== undefined && ticket.length >= LINES.length);
  const at = session.indexOf(ticket);
  assert.ok(at !== -1);
  session.fill(LINES, at, at + LINES.length);
  return session;
}

/** The first bytes of a client with this session. */
async function helloWith(session: Buffer, version: "TLSv1.2" | "TLSv1.3"): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ host: "127.0.0.1", port, session, maxVersion: version, rejectUnauthorized: false });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  await once(socket, "close");
  server.close();
  return hello;
}

/** A witness in the room who receives all its messages. */
class Room {
  readonly #witness: RawClient;

  private constructor(witness: RawClient) {
    this.#witness = witness;
  }

  static async watch(server: TestServer): Promise<Room> {
    return new Room(await server.member("Bob", "lobby"));
  }

  /** Fails if the witness has received anything since the last call. */
  async heardNothing(what: string): Promise<void> {
    this.#witness.send({ type: "ping" });
    assert.deepEqual(await this.#witness.next(), { type: "pong" }, `the room received ${what}`);
  }

  async heardTheChat(what: string): Promise<void> {
    const states = [];
    do states.push((await this.#witness.next()).state ?? "said");
    while (states.at(-1) !== "left");
    assert.deepEqual([...new Set(states)], ["joined", "said", "left"], what);
  }
}

async function expectOutcome(
  server: TestServer,
  room: Room,
  bytes: string | Uint8Array,
  outcome: Outcome,
  speak: (client: RawClient) => unknown,
): Promise<void> {
  const what = JSON.stringify(
    Buffer.from(bytes as string)
      .toString("latin1")
      .slice(0, 100),
  );
  const client = await server.connect();
  await speak(client);
  // The server itself ends a refused connection.
  if (outcome !== "refused") client.finish();
  await until(() => client.hasEnded, `the server ends ${what}`);
  const text = await client.restText();
  await client.close();
  if (outcome === "chat") await room.heardTheChat(what);
  else await room.heardNothing(what);
  // `node:http` does not answer CONNECT.
  if (outcome === "HTTP") assert.match(text, /^(HTTP\/1\.1 \d|$)/, what);
  else if (outcome === "refused") assert.match(text, /"code":"(protocol-error|frame-too-long)"[^\n]*$/m, what);
}

/** Waits until the running timers of the server have fired: the timer of a newer connection fires after them. */
async function silence(server: TestServer): Promise<void> {
  const clock = await server.connect();
  await clock.next();
  await clock.close();
}

function http(bytes: string, method = "GET"): Opening {
  // The server does not recognise such a long method as HTTP.
  const isOdd = method.length > 1_000;
  return { kind: "HTTP/1.x", bytes, outcome: isOdd ? "refused" : "HTTP" };
}

function refused(kind: string, bytes: string | Uint8Array): Opening {
  return { kind, bytes, outcome: "refused" };
}

function prefixed(text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** A STUN request (RFC 8489, section 5) whose name contains chat lines. */
function stun(type: number): Buffer {
  const name = Buffer.from(LINES.padEnd(Math.ceil(LINES.length / 4) * 4));
  const attribute = Buffer.concat([u16(0x0006), u16(name.length), name]);
  return Buffer.concat([
    u16(type),
    u16(attribute.length),
    Buffer.from("2112a442", "hex"),
    Buffer.alloc(12, 7),
    attribute,
  ]);
}

/** A uwsgi request. The length of a header name is the code of `{`. The body follows the given length. */
function uwsgiRequest(): Buffer {
  const text = (value: string): Buffer => {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const name = "HTTP_X".padEnd("{".charCodeAt(0), "X");
  const variables = [text(name), text("x"), text("HTTP_Y"), text("y".repeat(512 - 138))];
  const bytes = Buffer.concat(variables);
  assert.equal(bytes.length, 512);
  return Buffer.concat([Buffer.from("00000200", "hex"), bytes]);
}

/** The start of a TLS 1.3 ClientHello (RFC 8446, section 4.1.2) whose session ticket contains chat lines. */
function clientHello(): Buffer {
  const ticket = Buffer.from(LINES);
  const extension = Buffer.concat([u16(0x0023), u16(ticket.length), ticket]);
  const suites = Buffer.from("0004130113020100", "hex");
  const body = Buffer.concat([
    Buffer.from("0303", "hex"),
    Buffer.alloc(32, 1),
    Buffer.from([0]),
    suites,
    u16(extension.length),
    extension,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from("160301", "hex"), u16(message.length), message]);
}

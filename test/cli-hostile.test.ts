import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { connect, type Server, serve } from "@landline/sockets";
import {
  type CliProcess,
  type Ended,
  landline,
  landlineInShell,
  landlineOnTerminal,
  pipedToTerminal,
  runLandline,
} from "./cli-process.ts";
import { skipWithoutPython } from "./programs.ts";
import { type ChatScript, type Say, type ScriptedRequest, scriptedChat } from "./scripted-chat.ts";

const skip = skipWithoutPython();

/** Control sequences and misleading characters of each kind, without a line feed. */
const EVIL = [
  "\x1b]0;title\x07", // OSC: the window's title
  "\x1b]52;c;ZXZpbA==\x1b\\", // OSC: the clipboard
  "\x1b[7;7H\x1b[?1049h", // CSI: cursor position, other screen
  "\x1bPq#0\x1b\\\x1bc", // DCS, reset
  "\x9b9;9H\x9d0;title\x9c\x85", // the same in C1, next line
  "\0\b\v\f\r\x7f",
  "\u202e\u2066\u200f\u061c", // text direction
  "\u2028\u2029", // line separators
  "\u200b\ufeff\u00ad\u3164\u{e0041}\u{e0100}", // invisible
  "\ufffe\ue000\ud800", // unassigned
].join("EVIL");

/** The sequences of readline and of styles: cursor moves, erasures and colours. */
const OWN = /\x1b\[\d*[ABCDGJK]|\x1b\[\d+(;\d+)*m/g;

/** Asserts that the text has no control sequences of the peer, and shows its text at least `times` times. */
function assertSafe(text: string, times = 1): void {
  const shown = text.replaceAll(OWN, "").replaceAll("\r\n", "\n").replaceAll("\r", "");
  const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
  const found = shown.replaceAll(/[\n\t]/g, "").match(unsafe) ?? [];
  assert.deepEqual(
    found.map((character) => character.codePointAt(0)?.toString(16)),
    [],
    JSON.stringify(text),
  );
  const count = shown.split("EVIL").length - 1;
  assert.ok(count >= times, `${count} of ${times}: ${JSON.stringify(text)}`);
}

async function allOf(command: CliProcess): Promise<Ended> {
  await using _ended = command;
  return await command.ended;
}

function portOf(server: Server): string {
  return String(server.address.port);
}

/** A chat server that sends only hostile texts. `joining` answers `join` requests. */
function evilChat(joining: ChatScript): Promise<Server> {
  return scriptedChat(EVIL, async (say, request, connection) => {
    const { type, id } = request;
    if (type === "join") await joining(say, request, connection);
    else if (type === "who") await say({ type, id, room: EVIL, members: [EVIL], count: 1 });
    else if (type === "users") await say({ type, id, room: EVIL, users: [EVIL, `x${EVIL}`, "x EVIL"], more: true });
    else if (type === "rooms") await say({ type, id, rooms: [{ room: EVIL, count: 1 }] });
    else if (type === "topic") await say({ type, id, room: EVIL, topic: EVIL });
    else await refuse(say, request);
  });
}

const CHAT = { type: "chat", room: EVIL, username: EVIL, message: EVIL, at: 0 } as const;

async function welcome(say: Say, { id }: ScriptedRequest): Promise<void> {
  const entries = [{ ...CHAT, seq: 1, prev: 0 }];
  const position = { epoch: "e", seq: 1 };
  await say({ type: "joined", id, room: EVIL, position, members: [EVIL], count: 1, topic: EVIL, entries });
  await say({ type: "presence", room: EVIL, username: EVIL, state: "joined" });
  await say({ type: "typing", room: EVIL, username: EVIL });
  await say({ ...CHAT, seq: 2, prev: 1 });
  await say({ type: "set", room: EVIL, username: EVIL, changes: { topic: EVIL }, seq: 3, prev: 2, at: 0 });
  await say({ type: "dropped", room: EVIL });
  await say({ type: "error", message: EVIL });
}

async function refuse(say: Say, { id }: ScriptedRequest): Promise<void> {
  await say({ type: "error", id, code: "forbidden", message: `no ${EVIL}\nEVIL` });
}

async function dismiss(say: Say): Promise<void> {
  await say({ type: "bye", code: "shutdown", message: EVIL, reconnect: false });
}

test("chat prints no raw text of a peer to a terminal", { skip }, async () => {
  await using server = await evilChat(welcome);
  await using chat = landlineOnTerminal("--trace", "chat", `localhost:${portOf(server)}`);
  await chat.until(/set the topic/);
  for (const command of ["/who", "/rooms", "/topic", "/search x", "/leave"]) chat.type(`${command}\r`);
  await chat.until(/Rooms: /);
  chat.type("x\t");
  chat.type("\t");
  chat.type("hello\r");
  await chat.until(/\* no [\s\S]*\* no /);
  chat.type("\x03");
  assertSafe((await chat.ended).stdout, 100);
});

test("chat prints no raw text of errors and goodbyes to a terminal, also with piped input, or to a pipe", {
  skip,
}, async () => {
  for (const joining of [refuse, dismiss]) {
    await using server = await evilChat(joining);
    const args = ["chat", `localhost:${portOf(server)}`];
    const times = EVIL.split("EVIL").length - 1;
    const typed = await allOf(landlineOnTerminal(...args));
    assertSafe(typed.stdout, times);
    const piped = await allOf(pipedToTerminal("hello\n", ...args));
    assertSafe(piped.stdout, times);
    const { code, stdout, stderr } = await runLandline(args, "hello\n");
    assert.equal(code, 1);
    assertSafe(stdout, 0);
    assertSafe(stderr, times);
    assert.equal(stderr.trimEnd().split("\n").length, 1, "more than one line");
  }
  await using server = await serve({}, (connection) =>
    connection.write(`${JSON.stringify({ type: "bye", code: EVIL, message: EVIL, reconnect: false })}\n`),
  );
  assertSafe((await runLandline(["chat", `localhost:${portOf(server)}`])).stderr);
});

test("chat prints no raw text of a room with piped input, or to a pipe", { skip }, async () => {
  await using server = await evilChat(welcome);
  const args = ["chat", `localhost:${portOf(server)}`];
  assertSafe((await allOf(pipedToTerminal("hello\n", ...args))).stdout, 50);
  const { stdout, stderr } = await runLandline(args, "hello\n");
  assertSafe(stdout, 20);
  assertSafe(stderr, 9);
});

test("connect and listen print no raw text of a peer to a terminal, also with piped input; a pipe gets the bytes", {
  skip,
}, async () => {
  const evil = Buffer.concat([Buffer.from(`${EVIL}\n`), Buffer.from("\x9b7;7H\xff\x90", "latin1")]);
  await using server = await serve({}, (connection) => connection.write(evil));
  const args = ["connect", "localhost", portOf(server)];
  assertSafe((await allOf(landlineOnTerminal(...args))).stdout, 9);
  assertSafe((await allOf(pipedToTerminal("", ...args))).stdout, 9);
  const piped = landline(...args);
  piped.child.stdin.end();
  piped.child.stdout.setEncoding("latin1");
  assert.equal((await allOf(piped)).stdout, evil.toString("latin1"));

  for (const [listener, stream] of [
    [landlineOnTerminal("--trace", "listen", "0"), "stdout"],
    [landlineOnTerminal("--trace", "listen", "--keep-open", "0"), "stdout"],
    [pipedToTerminal("", "listen", "0"), "stdout"],
  ] as const) {
    await using _ended = listener;
    const [, port = ""] = await listener.until(/Listening on \S+:(\d+)/, stream);
    await using caller = await connect({ port: Number(port) });
    await caller.write(evil);
    caller.closeWrite();
    await listener.until(/9;9H/, stream);
    listener.type("\x03");
    assertSafe((await listener.ended).stdout, 9);
  }
});

test("get prints no raw text of a peer: head, body, reason, broken responses", { skip }, async () => {
  const bytes = Buffer.from(EVIL.replaceAll(/[\0\r]/g, ""));
  const head = (reason: Uint8Array, rest = ""): Buffer =>
    Buffer.concat([Buffer.from("HTTP/1.1 404 "), reason, Buffer.from(`\r\n${rest}`)]);
  const answers: Record<string, Buffer> = {
    "/whole": Buffer.concat([
      head(Buffer.from("EVIL\t\x9b\x85", "latin1"), "X-Evil: "),
      Buffer.from("EVIL\x9b7;7H\x85", "latin1"),
      Buffer.from(`\u202e\u{e0041}\r\nContent-Length: ${bytes.length}\r\n\r\n`),
      bytes,
    ]),
    "/reason": head(Buffer.from(EVIL.replaceAll(/[\x00-\x1f\x7f]/g, "")), "Content-Length: 0\r\n\r\n"),
    "/broken": head(bytes, "\r\n"),
    "/status": Buffer.from(`${EVIL} 200 OK\r\n\r\n`),
    "/header": head(Buffer.from("OK"), `${EVIL}\r\n\r\n`),
    "/away": head(Buffer.from("OK"), `Location: ${EVIL}://x/${EVIL}\r\n\r\n`),
  };
  answers["/away"] = Buffer.from(String(answers["/away"]).replace("404", "302"));
  await using server = await serve({}, async (connection) => {
    const request = String(await connection.readUntil("\r\n\r\n"));
    await connection.write(answers[/^GET (\S+)/.exec(request)?.[1] ?? ""] ?? "");
  });
  for (const name of Object.keys(answers)) {
    const args = ["get", "-i", `localhost:${portOf(server)}${name}`];
    assertSafe((await allOf(landlineOnTerminal("--trace", ...args))).stdout, name === "/whole" ? 9 : 0);
    assertSafe((await runLandline(["get", "--fail", ...args.slice(1)])).stderr, name === "/reason" ? 5 : 0);
  }
});

test("echo and serve print no raw text of received bytes", { skip }, async () => {
  await using server = landlineOnTerminal(
    ...["--trace", "serve", "--durability", "memory", "--port", "0"],
    ...["--echo", "--tcp", "0", "--udp", "0", "--events", "0"],
  );
  const ports = await Promise.all(
    ["TCP echo", "events echo", "chat"].map(async (name) => {
      const [, port] = await server.until(new RegExp(`:(\\d+)/? +${name}`));
      return Number(port);
    }),
  );
  for (const port of ports) {
    await using caller = await connect({ port });
    await caller.write(`${EVIL}\n${JSON.stringify({ type: "join", username: EVIL, room: EVIL })}\n`);
    caller.closeWrite();
    while ((await caller.read({ timeoutMs: 10_000 }).catch(() => null)) !== null);
  }
  server.type("\x03");
  assertSafe((await server.ended).stdout, 0);
});

test("no command prints raw text of settings, file names and arguments", { skip }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "landline-hostile-"));
  const name = EVIL.replaceAll(/[\0/\ud800]/g, "");
  const settings = path.join(folder, "evil.json");
  await writeFile(settings, JSON.stringify({ [EVIL]: 1, pingMs: EVIL, hosts: [EVIL] }));
  const broken = path.join(folder, "broken.json");
  await writeFile(broken, `{"a": ${EVIL}`);
  const fine = path.join(folder, "fine.json");
  await writeFile(fine, JSON.stringify({ data: path.join(folder, name) }));
  for (const args of [
    ["config", "--config", settings],
    ["config", "--config", broken],
    ["config", "--config", fine],
    ["config", "--config", path.join(folder, name)],
    ["serve", "--port", name],
    ["serve", `--${name}`],
    ["serve", "--data", path.join(folder, "no", name), "--config", settings],
    ["backup", "--data", path.join(folder, name), path.join(folder, "x")],
    ["backup", "--data", folder, path.join(folder, "no", name)],
    ["restore", "--data", folder, path.join(folder, name)],
    ["get", `http://localhost/${name}`, "-o", name, "-H", name],
    ["get", "-o", path.join(folder, "no", name), "localhost:1"],
    ["connect", name, "80"],
    ["connect", `${name}:80`],
    ["connect", "--udp", name, "80"],
    ["listen", "--host", name, "0"],
    ["echo", "--host", name],
    ["chat", name],
    ["chat", `${name}:80`, "--name", name],
    [name],
  ]) {
    assertSafe((await allOf(landlineInShell('"$@" 2>&1 </dev/null', ...args))).stdout, 0);
  }
  for (const file of [settings, fine]) {
    assertSafe((await allOf(landlineOnTerminal("config", "--config", file))).stdout);
  }
  await rm(folder, { recursive: true });
});

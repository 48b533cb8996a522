import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type SocketError, serve } from "@landline/sockets";
import { type CliProcess, landline, landlineInShell, landlineProgram, python } from "./cli-process.ts";
import { skipWithoutPython } from "./programs.ts";
import { scriptedChat } from "./scripted-chat.ts";

const skip = skipWithoutPython();

/** A request to each server, and the start of its answer. `--trace` writes a line for each connection. */
const SERVERS = [
  {
    args: ["--trace", "serve", "--port", "0", "--rates", "off"],
    request: "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
    answer: "HTTP/1.1 200 OK",
  },
  { args: ["--trace", "echo", "--tcp", "0", "--udp", "0", "--events", "0"], request: "hello", answer: "Echo: hello" },
];
type ServerUnderTest = (typeof SERVERS)[number];

/** The first port in the output or trace. */
async function portOf(server: CliProcess, stream: "stdout" | "stderr"): Promise<number> {
  const pattern = stream === "stdout" ? /localhost:(\d+)/ : /listener +#\d+ +created -> listening +\S+:(\d+)/;
  return Number((await server.until(pattern, stream))[1]);
}

async function ask(port: number, { request, answer }: ServerUnderTest): Promise<void> {
  await using caller = await connect({ port, timeoutMs: 10_000 });
  await caller.write(request);
  const bytes = await caller.readExactly(answer.length, { timeoutMs: 10_000 });
  assert.equal(Buffer.from(bytes).toString(), answer);
}

/** Asserts that the server answers repeatedly, and exits with 0 on SIGTERM. */
async function assertServes(server: CliProcess, port: number, which: ServerUnderTest, times = 5): Promise<void> {
  for (let count = 0; count < times; count += 1) await ask(port, which);
  if (which.args.includes("serve")) {
    server.child.kill("SIGHUP");
    await ask(port, which);
  }
  server.child.kill("SIGTERM");
  const { child } = server;
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.deepEqual([child.exitCode, child.signalCode], [0, null]);
}

for (const which of SERVERS) {
  const name = which.args[1];
  for (const [broken, told] of [
    ["stdout", "stderr"],
    ["stderr", "stdout"],
  ] as const) {
    test(`${name} serves with ${broken} closed from the start`, async () => {
      await using server = landlineInShell(`exec "$@" ${broken === "stdout" ? ">&-" : "2>&-"}`, ...which.args);
      await assertServes(server, await portOf(server, told), which);
    });

    test(`${name} serves with ${broken} unread from the start`, async () => {
      await using server = landline(...which.args);
      server.child[broken].destroy();
      await assertServes(server, await portOf(server, told), which);
    });

    test(`${name} serves after the readers of ${broken} and then of the other output leave`, async () => {
      await using server = landline(...which.args);
      const port = await portOf(server, told);
      server.child[broken].destroy();
      await ask(port, which);
      server.child[told].destroy();
      await assertServes(server, port, which);
    });

    test(`${name} serves with ${broken} on a full disk`, async () => {
      const to = broken === "stdout" ? ">/dev/full" : "2>/dev/full";
      await using server = landlineInShell(`exec "$@" ${to}`, ...which.args);
      await assertServes(server, await portOf(server, told), which);
    });

    test(`${name} serves with ${broken} on a full, unread pipe`, { skip }, async () => {
      await using server = python(INTO_A_FULL_PIPE, broken, ...landlineProgram(...which.args));
      await assertServes(server, await portOf(server, told), which, 100);
    });
  }
}

test("serve goes on after its terminal closes", { skip }, async () => {
  const [which] = SERVERS as [ServerUnderTest];
  await using server = python(ON_A_TERMINAL_THAT_CLOSES, ...landlineProgram(...which.args));
  const port = await portOf(server, "stdout");
  await server.until(/the terminal is closed/);
  await assertServes(server, port, which);
});

for (const which of SERVERS) {
  test(`${which.args[1]} serves while its terminal is stopped`, { skip }, async () => {
    await using server = python(ON_A_TERMINAL_THAT_STOPS, "try: ", ...landlineProgram(...which.args));
    const port = await portOf(server, "stdout");
    await assertServes(server, port, which, 100);
  });
}

test("connect stops reading from its peer while its terminal is stopped, and exits on SIGTERM", { skip }, async () => {
  const flooded = Promise.withResolvers<unknown>();
  await using server = await serve({ host: "127.0.0.1", sendTimeoutMs: 1_000 }, async (peer) => {
    await peer.write("hello");
    try {
      for (let count = 0; count < 64; count += 1) await peer.write(Buffer.alloc(1_048_576, "x"));
      await peer.flush();
      flooded.resolve("the command read everything");
    } catch (error) {
      flooded.resolve(`${(error as SocketError).code} ${(error as SocketError).operation}`);
    }
  });
  const program = landlineProgram("connect", "127.0.0.1", String(server.address.port));
  await using client = python(ON_A_TERMINAL_THAT_STOPS, "hello", ...program);
  await client.until(/hello/);
  assert.equal(await flooded.promise, "timeout send");
  client.child.kill("SIGTERM");
  await client.ended;
  assert.deepEqual([client.child.exitCode, client.child.signalCode], [143, null]);
});

test("chat exits with 1 when its terminal is stopped and the server keeps sending", { skip }, async () => {
  const position = { epoch: "e", seq: 0 };
  await using server = await scriptedChat("ada", async (say, { type, id }) => {
    if (type !== "join") return;
    await say({ type: "joined", id, room: "lobby", position, members: ["ada"], count: 1, entries: [] });
    for (let count = 0; count < 500; count += 1) await say({ type: "error", message: "x".repeat(60_000) });
  });
  const program = landlineProgram("chat", "--name", "ada", `127.0.0.1:${server.address.port}`);
  await using chat = python(ON_A_TERMINAL_THAT_STOPS, "In lobby", ...program);
  await chat.ended;
  assert.deepEqual([chat.child.exitCode, chat.child.signalCode], [1, null]);
});

test("echo ends with its terminal (SIGHUP)", async () => {
  await using echo = landline("echo", "--tcp", "0", "--udp", "0", "--events", "0");
  await echo.until(/events echo/);
  echo.child.kill("SIGHUP");
  const [, signal] = await once(echo.child, "exit");
  assert.equal(signal, "SIGHUP");
});

/** Forwards signals to the child process, from before it prints anything, and exits with its status. */
const BELOW = `
import fcntl, os, pty, signal, subprocess, sys
def pass_on(below):
    for name in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, lambda number, frame: os.kill(below, number))
def wait(below):
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(below, 0)[1]) & 255)
`;

/** Runs a program with one of its streams on a full pipe. */
const INTO_A_FULL_PIPE = `${BELOW}
unread, full = os.pipe()
os.set_blocking(full, False)
try:
    while True:
        os.write(full, bytes(4096))
except BlockingIOError:
    os.set_blocking(full, True)
child = subprocess.Popen(sys.argv[2:], **{sys.argv[1]: full}).pid
pass_on(child)
wait(child)
`;

/** Runs a program on a terminal that is not read after the given text. */
const ON_A_TERMINAL_THAT_STOPS = `${BELOW}
child, screen = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
pass_on(child)
text = b""
while sys.argv[1].encode() not in text:
    text += os.read(screen, 65536)
os.write(1, text)
wait(child)
`;

/** Runs a program on a terminal that closes after the program's first output. */
const ON_A_TERMINAL_THAT_CLOSES = `${BELOW}
child, screen = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
pass_on(child)
text = b""
while b"Rooms are kept" not in text:
    text += os.read(screen, 65536)
os.write(1, text)
os.close(screen)
os.write(1, b"the terminal is closed\\n")
wait(child)
`;

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { connect, listen, type Server, serve } from "@landline/sockets";
import { TestServer } from "./chat-server.ts";
import { type CliProcess, landline, landlineIn, landlineOnTerminal, python, runLandline } from "./cli-process.ts";
import { skipWithoutPython } from "./programs.ts";
import { scriptedChat } from "./scripted-chat.ts";

const skip = skipWithoutPython();

/** The ports in the output of `landline echo` or `serve --echo`. */
async function echoPorts(command: CliProcess): Promise<{ tcp: string; udp: string; events: string }> {
  const port = async (name: string) => (await command.until(new RegExp(`:(\\d+)\\s+${name} echo`)))[1] ?? "";
  return { tcp: await port("TCP"), udp: await port("UDP"), events: await port("events") };
}

function startEcho(...args: readonly string[]): CliProcess {
  return landline("echo", "--tcp", "0", "--udp", "0", "--events", "0", ...args);
}

async function listeningPort(command: CliProcess): Promise<number> {
  return Number((await command.until(/Listening on \S+:(\d+)/, "stderr"))[1]);
}

function portOf(server: Server): string {
  return String(server.address.port);
}

describe("landline echo", () => {
  const ASK_BY_TCP = `
import socket, sys
with socket.create_connection(("localhost", int(sys.argv[1]))) as phone:
    for text in ["first", "zweites, größer", "last"]:
        phone.sendall(text.encode("utf-8"))
        print(phone.recv(1024).decode("utf-8"))
`;
  const ASK_BY_UDP = `
import socket, sys
phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
phone.settimeout(10)
for text in ["one", "zwölf"]:
    phone.sendto(text.encode("utf-8"), ("localhost", int(sys.argv[1])))
    answer, sender = phone.recvfrom(1024)
    print(answer.decode("utf-8"))
`;

  test("answers the tutorial's Python clients", { skip }, async () => {
    await using echo = startEcho();
    const ports = await echoPorts(echo);
    assert.equal(
      (await python(ASK_BY_TCP, ports.tcp).ended).stdout,
      "Echo: first\nEcho: zweites, größer\nEcho: last\n",
    );
    assert.equal((await python(ASK_BY_UDP, ports.udp).ended).stdout, "UDP Echo: one\nUDP Echo: zwölf\n");
    const byEvents = await python(ASK_BY_TCP, ports.events).ended;
    assert.equal(
      byEvents.stdout,
      "Non-blocking echo: first\nNon-blocking echo: zweites, größer\nNon-blocking echo: last\n",
    );
  });

  test("splits no UTF-8 character at chunk boundaries", async () => {
    await using echo = startEcho();
    const ports = await echoPorts(echo);
    for (const [port, prefix] of [
      [ports.tcp, "Echo: "],
      [ports.events, "Non-blocking echo: "],
    ] as const) {
      await using connection = await connect({ port: Number(port) });
      const bytes = Buffer.from("aé");
      await connection.write(bytes.subarray(0, 2));
      const first = await connection.readExactly(prefix.length + 1, { timeoutMs: 10_000 });
      assert.equal(Buffer.from(first).toString(), `${prefix}a`);
      await connection.write(bytes.subarray(2));
      connection.closeWrite();
      const second = await connection.readExactly(prefix.length + 2, { timeoutMs: 10_000 });
      assert.equal(Buffer.from(second).toString(), `${prefix}é`);
      assert.equal(await connection.read(), null);
    }
  });

  test("closes its connections on Ctrl-C and exits with 0", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      await using echo = startEcho();
      const ports = await echoPorts(echo);
      const connections = [await connect({ port: Number(ports.tcp) }), await connect({ port: Number(ports.events) })];
      echo.child.kill(signal);
      for (const connection of connections) {
        assert.equal(await connection.read(), null, "the server reset the connection instead of finishing");
        await connection.close();
      }
      const { code, stdout, stderr } = await echo.ended;
      assert.deepEqual([code, stderr], [0, ""]);
      const typed = signal === "SIGINT" ? "; press Ctrl-C again to stop at once" : "";
      assert.ok(stdout.endsWith(`\nShutting down${typed}\n`), stdout);
    }
  });

  test("ends at once on the second Ctrl-C", async () => {
    await using echo = startEcho();
    const ports = await echoPorts(echo);
    await using connection = await connect({ port: Number(ports.tcp) });
    echo.child.kill("SIGINT");
    // The server waits for the client's end, which does not come.
    assert.equal(await connection.read(), null);
    echo.child.kill("SIGINT");
    assert.equal((await echo.ended).code, 130);
  });

  test("reports a port in use, and leaves nothing listening", async () => {
    await using taken = await serve({ port: 0 }, () => undefined);
    const { code, stdout, stderr } = await runLandline(["echo", "--tcp", "0", "--udp", "0", "--events", portOf(taken)]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^landline: Cannot listen on \S+:\d+: the address is already in use .*; use --events to choose another, 0 .*\n$/,
    );
  });
});

describe("landline serve", () => {
  test("prints the addresses of the page, the chat and the echo servers", async () => {
    await using server = landline("serve", "--port", "0", "--echo", "--tcp", "0", "--udp", "0", "--events", "0");
    await server.until(/events echo.*\nRooms are kept in memory only and are lost when the server stops\n/);
    const lines = server.stdout.trimEnd().split("\n").slice(0, -1);
    assert.equal(lines.length, 4);
    const [, port = ""] = /^http:\/\/localhost:(\d+)\/ .*nc localhost \d+$/.exec(lines[0] ?? "") ?? [];
    assert.ok(lines.every((line) => line.includes("try: landline ")));
    const page = await runLandline(["get", `localhost:${port}/healthz`]);
    assert.equal(page.code, 0);
    server.child.kill("SIGTERM");
    const { code, stdout, stderr } = await server.ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /\nShutting down\n$/);
  });

  test("reports a port in use", async () => {
    await using taken = await serve({ port: 0 }, () => undefined);
    const { code, stderr } = await runLandline(["serve", "--port", portOf(taken)]);
    assert.equal(code, 1);
    assert.match(stderr, /^landline: Cannot listen on .*already in use.*; use --port to choose another, 0 .*\n$/);
    const listener = await runLandline(["listen", portOf(taken)]);
    assert.match(listener.stderr, /^landline: Cannot listen on .*already in use.*; give another port, 0 .*\n$/);
  });

  test("accepts the names in --hosts, and prints a usable address", async () => {
    const args = ["--host", "0.0.0.0", "--port", "0", "--hosts", "chat.test, other.test"];
    await using server = landline("serve", ...args, "--echo", "--tcp", "0", "--udp", "0", "--events", "0");
    await server.until(/all IPv4 addresses of this machine \(0\.0\.0\.0\).*\n/);
    const [first = "", ...others] = server.stdout.trimEnd().split("\n");
    const [, port = ""] =
      /^http:\/\/localhost:(\d+)\/ .*landline chat localhost:\d+ .*nc localhost \d+$/.exec(first) ?? [];
    assert.ok(
      others.slice(0, 3).every((line) => /^localhost:\d+ .*localhost \d+$/.test(line)),
      server.stdout,
    );
    for (const [host, status] of [
      ["other.test", 200],
      ["stranger.test", 421],
    ]) {
      const request = `GET /healthz HTTP/1.0\r\nHost: ${host}\r\n\r\n`;
      const { stdout } = await runLandline(["connect", `localhost:${port}`], request);
      assert.match(stdout, new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  test("announces the shutdown at once on Ctrl-C, and waits for connected clients", async () => {
    await using server = landline("serve", "--port", "0", "--echo", "--tcp", "0", "--udp", "0", "--events", "0");
    const { tcp } = await echoPorts(server);
    const [, chat = ""] = /localhost:(\d+)\//.exec(server.stdout) ?? [];
    const connections = [await connect({ port: Number(chat) }), await connect({ port: Number(tcp) })];
    server.child.kill("SIGINT");
    await server.until(/\nShutting down; press Ctrl-C again to stop at once\n$/);
    for (const connection of connections) {
      while ((await connection.read({ timeoutMs: 10_000 })) !== null);
      await connection.close();
    }
    assert.equal((await server.ended).code, 0);
  });
});

describe("landline config", () => {
  /** Creates a folder with these files. */
  async function folderWith(files: Readonly<Record<string, unknown>>): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), "landline-config-"));
    for (const [name, value] of Object.entries(files)) {
      await writeFile(path.join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
    }
    return folder;
  }

  function config(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
    const command = landlineIn({ cwd, env }, "config", ...args);
    command.child.stdin.end();
    return command.ended;
  }

  test("prints every setting with its value, unit and source", async () => {
    const folder = await folderWith({ "landline.json": { messageBytesMax: 4096, hosts: ["chat.test"], port: 1 } });
    const { code, stdout, stderr } = await config(["--port", "9000"], folder, { LANDLINE_PING_MS: "60000" });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    const line = (name: string) => lines.find((each) => each.startsWith(`${name} `)) ?? "";
    assert.match(line("port"), /^port +9000 +--port +port for all clients/);
    assert.match(line("pingMs"), /^pingMs +1m +LANDLINE_PING_MS +how long/);
    assert.match(line("messageBytesMax"), /^messageBytesMax +4KiB +landline\.json +longest/);
    assert.match(line("hosts"), /^hosts +chat\.test +landline\.json +host names/);
    assert.match(line("durability"), /^durability +disk +default +what/);
    await rm(folder, { recursive: true });
  });

  test("prints the same as JSON with --json", async () => {
    const folder = await folderWith({ "other.json": { pingMs: "1m" } });
    const { stdout } = await config(["--json", "--config", "other.json", "--rates", "off"], folder);
    const settings = JSON.parse(stdout);
    assert.deepEqual(settings.pingMs, { value: 60_000, from: "file", name: "other.json" });
    assert.deepEqual(settings.rates, { value: "off", from: "flag", name: "--rates" });
    assert.deepEqual(settings.keepEntries, { value: "unlimited", from: "default" });
    await rm(folder, { recursive: true });
  });

  test("--check prints all problems and nothing else, and exits with 2; serve does not start either", async () => {
    const folder = await folderWith({ "landline.json": { pongMs: "soon" }, "bad.json": '{\n"port" 1}' });
    const env = { LANDLINE_CONECTIONS_MAX: "1" };
    for (const args of [["config", "--check"], ["config"], ["serve", "--port", "0"]]) {
      const command = landlineIn({ cwd: folder, env }, ...args);
      command.child.stdin.end();
      const { code, stdout, stderr } = await command.ended;
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.deepEqual(stderr.trimEnd().split("\n"), [
        "landline: Unknown setting LANDLINE_CONECTIONS_MAX (in the environment); did you mean LANDLINE_CONNECTIONS_MAX?",
        'landline: Cannot use pongMs "soon" (from landline.json): not a duration such as 30s',
      ]);
    }
    const bad = await config(["--config", "bad.json"], folder);
    assert.match(
      bad.stderr,
      /^landline: Cannot read configuration bad\.json: not JSON at line 2 column 8, before "1"\n/,
    );
    const frame = await config(["--check"], tmpdir(), { LANDLINE_FRAME_BYTES_MAX: "2KiB" });
    assert.equal(frame.code, 2);
    assert.match(
      frame.stderr,
      /^landline: Cannot use frameBytesMax 2KiB .* messageBytesMax 16KiB \(from default\).*\n$/,
    );
    const escaped = await config(["--host", "a\u001b[31m", "--port", "\u001b[2J"], folder);
    assert.doesNotMatch(escaped.stderr, /\u001b/);
    const good = await config(["--check"], tmpdir(), { LANDLINE_PORT: "1" });
    assert.deepEqual(good, { code: 0, stdout: "", stderr: "" });
    await rm(folder, { recursive: true });
  });

  test("serve uses the environment and the file", async () => {
    const folder = await folderWith({ "landline.json": { hosts: ["chat.test"], port: 1 } });
    await using server = landlineIn({ cwd: folder, env: { LANDLINE_PORT: "0" } }, "serve");
    const [, port = ""] = await server.until(/localhost:(\d+)\//);
    const { stdout } = await runLandline(
      ["connect", `localhost:${port}`],
      "GET /healthz HTTP/1.0\r\nHost: chat.test\r\n\r\n",
    );
    assert.match(stdout, /^HTTP\/1\.1 200 /);
    server.child.kill("SIGTERM");
    assert.equal((await server.ended).code, 0);
    await rm(folder, { recursive: true });
  });
});

describe("landline connect", () => {
  const TCP_ECHO = `
import socket, threading
def talk(caller):
    with caller:
        while True:
            data = caller.recv(1024)
            if not data:
                break
            caller.sendall(("Echo: " + data.decode("utf-8")).encode("utf-8"))
phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.bind(("localhost", 0))
phone.listen(5)
print(phone.getsockname()[1])
while True:
    caller, address = phone.accept()
    threading.Thread(target=talk, args=(caller,), daemon=True).start()
`;
  const UDP_ECHO = `
import socket
phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
phone.bind(("localhost", 0))
print(phone.getsockname()[1])
while True:
    data, sender = phone.recvfrom(1024)
    phone.sendto(("UDP Echo: " + data.decode("utf-8")).encode("utf-8"), sender)
`;

  test("talks to the tutorial's TCP server", { skip }, async () => {
    await using server = python(TCP_ECHO);
    const [port = ""] = await server.until(/\d+/);
    const { code, stdout, stderr } = await runLandline(["connect", "localhost", port], "grüß dich");
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "Echo: grüß dich", stderr: "" });
  });

  test("talks to the tutorial's UDP server, a datagram per line with --lines", { skip }, async () => {
    await using server = python(UDP_ECHO);
    const [port = ""] = await server.until(/\d+/);
    const args = ["connect", "--udp", "--lines", "--wait", "300ms", "localhost", port];
    const { code, stdout, stderr } = await runLandline(args, "one\n\nzwölf");
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: "UDP Echo: one\nUDP Echo: \nUDP Echo: zwölf\n", stderr: "" },
    );
  });

  test("asks for lines at a terminal until 'quit'", { skip }, async () => {
    await using server = python(TCP_ECHO);
    const [port = ""] = await server.until(/\d+/);
    await using client = landlineOnTerminal("connect", "localhost", port);
    await client.until(/Connected to localhost:\d+[\s\S]*Enter message \(or 'quit' to exit\): /);
    client.type("hello\r");
    await client.until(/Echo: hello\r\n[\s\S]*Enter message/);
    for (const line of ["QUIT", "Quit", " quit", "quit now"]) {
      client.type(`${line}\r`);
      await client.until(new RegExp(`Echo: ${line}\\r\\n`));
    }
    client.type("quit\r");
    const { code, stdout } = await client.ended;
    assert.equal(code, 0);
    assert.match(stdout, /Disconnected from localhost:\d+/);
  });

  test("prints at a terminal which side ended the connection", { skip }, async () => {
    await using server = python(TCP_ECHO);
    const [port = ""] = await server.until(/\d+/);
    await using client = landlineOnTerminal("connect", `localhost:${port}`);
    await client.until(/exit\): /);
    client.type("\x04");
    const { code, stdout } = await client.ended;
    assert.equal(code, 0);
    assert.match(stdout, /Disconnected from localhost:\d+\r\n$/);
    assert.doesNotMatch(stdout, /closed by/);
  });

  test("shows what arrives while a line is typed, and keeps the line", { skip }, async () => {
    const hasTyped = Promise.withResolvers<void>();
    await using server = await serve({}, async (connection) => {
      await hasTyped.promise;
      await connection.write("news\n");
      const line = await connection.readUntil("\n");
      await connection.write(["got ", line]);
      for await (const _ of connection);
    });
    await using client = landlineOnTerminal("connect", "localhost", portOf(server));
    await client.until(/exit\): /);
    client.type("half");
    await client.until(/half/);
    hasTyped.resolve();
    await client.until(/news\r\n[\s\S]*exit\): half/);
    client.type(" and half\r");
    await client.until(/got half and half/);
    client.type("\x03");
    assert.equal((await client.ended).code, 130);
  });

  test("never writes a peer's escape to a terminal, and always to a pipe", { skip }, async () => {
    const evil = "\x1b]0;pwned\x07\x9b2J\x1b[2J\x7f\n";
    await using server = await serve({}, (connection) => connection.write(evil));
    await using client = landlineOnTerminal("connect", "localhost", portOf(server));
    await client.until(/Connection closed by/);
    assert.match(client.stdout, /␛\]0;pwned␇\\x9b2J␛\[2J␡\r\n/);
    assert.ok(!client.stdout.includes("\x1b]0;pwned") && !client.stdout.includes("\x1b[2J"));
    assert.equal((await runLandline(["connect", "localhost", portOf(server)])).stdout, evil);
  });

  test("finishes with its input and reads until the peer has finished", async () => {
    await using server = await serve({}, async (connection) => {
      let length = 0;
      for await (const chunk of connection) length += chunk.length;
      await connection.write(`got ${length}`);
    });
    const { code, stdout } = await runLandline(["connect", "localhost", portOf(server)], Buffer.alloc(1_000_000));
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "got 1000000" });
  });

  test("copies bytes unchanged", async () => {
    await using server = await serve({}, async (connection) => {
      for await (const chunk of connection) await connection.write(chunk);
    });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
    const client = landline("connect", "localhost", portOf(server));
    client.child.stdout.setEncoding("latin1");
    client.child.stdin.end(bytes);
    assert.equal((await client.ended).stdout, bytes.toString("latin1"));
  });

  test("finishes its connection on Ctrl-C and exits with 130", async () => {
    const ended = Promise.withResolvers<Uint8Array | null>();
    await using server = await serve({}, async (connection) => {
      await connection.write("hello");
      await connection.read().then(ended.resolve, ended.reject);
    });
    await using client = landline("connect", "localhost", portOf(server));
    await client.until(/hello/);
    client.child.kill("SIGINT");
    assert.equal(await ended.promise, null, "a reset instead of a FIN");
    assert.deepEqual(await client.ended, { code: 130, stdout: "hello", stderr: "" });
  });

  test("reports a reset by the peer", async () => {
    await using server = await serve({}, async (connection) => {
      await connection.read();
      connection.reset();
    });
    const { code, stderr } = await runLandline(["connect", "localhost", portOf(server)], "x");
    assert.equal(code, 1);
    assert.match(stderr, /^landline: .*reset by the peer\n$/);
  });

  test("prints one line with the reason when it cannot connect", async () => {
    const gone = await serve({}, () => undefined);
    const port = portOf(gone);
    await gone.close();
    const refused = await runLandline(["connect", "localhost", port]);
    assert.equal(refused.code, 1);
    assert.equal(
      refused.stderr,
      `landline: Cannot connect to localhost:${port}: connection refused (is the server running?)\n`,
    );
    const nowhere = await runLandline(["connect", "nope.invalid", "80"]);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /^landline: Cannot connect to nope\.invalid:80: .*name.*\n$/);
    const byUdp = await runLandline(["connect", "-u", "nope.invalid", "80"]);
    assert.equal(byUdp.code, 1);
    assert.match(byUdp.stderr, /^landline: Cannot connect to nope\.invalid:80: .*name.*\n$/);
    const udpRefused = await runLandline(["connect", "-u", "--wait", "5s", "localhost", port], "x\n");
    assert.equal(udpRefused.code, 1);
    assert.match(udpRefused.stderr, /^landline: .*connection refused.*\n$/);
  });

  test("exits without an error when the reader of its output has closed", async () => {
    await using server = await serve({}, async (connection) => {
      const block = Buffer.alloc(65_536, "a");
      try {
        for (;;) await connection.write(block);
      } catch {
        // The client has gone.
      }
    });
    await using client = landline("connect", "localhost", portOf(server));
    await client.until(/a/);
    client.child.stdout.destroy();
    const [code] = await once(client.child, "exit");
    assert.equal(code, 0);
    assert.equal(client.stderr, "");
  });
});

describe("landline listen", () => {
  test("accepts one connection and copies both ways", async () => {
    const listener = landline("listen", "0");
    listener.child.stdin.end("from here");
    const port = await listeningPort(listener);
    const { code, stdout } = await runLandline(["connect", "localhost", String(port)], "from there");
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "from here" });
    const ended = await listener.ended;
    assert.equal(ended.code, 0);
    assert.equal(ended.stdout, "from there");
    await assert.rejects(connect({ port }), { code: "refused" });
  });

  test("accepts many connections with --keep-open, until Ctrl-C", async () => {
    await using listener = landline("listen", "--keep-open", "0");
    const port = await listeningPort(listener);
    const callers = [await connect({ port }), await connect({ port })];
    for (const [index, caller] of callers.entries()) {
      await caller.write(`caller ${index}\n`);
      await listener.until(new RegExp(`caller ${index}`));
    }
    listener.type("to all");
    for (const caller of callers) assert.equal(Buffer.from(await caller.readExactly(6)).toString(), "to all");
    await callers[0]?.close();
    await callers[1]?.write("still here");
    await listener.until(/still here/);
    listener.child.kill("SIGINT");
    assert.equal(await callers[1]?.read(), null);
    await callers[1]?.close();
    assert.equal((await listener.ended).code, 0);
  });

  test("answers datagrams with --udp", async () => {
    await using listener = landline("listen", "--udp", "0");
    const port = await listeningPort(listener);
    listener.type("waits for the first sender\n");
    await using client = landline("connect", "--udp", "localhost", String(port));
    client.type("hello\n");
    await listener.until(/^hello\n/);
    await client.until(/^waits for the first sender\n/);
    listener.type("and an answer\n");
    await client.until(/and an answer\n/);
    client.child.stdin.end();
    assert.equal((await client.ended).code, 0);
    listener.child.kill("SIGTERM");
    assert.equal((await listener.ended).code, 0);
  });

  test("exits with 130 on Ctrl-C before any connection", async () => {
    await using listener = landline("listen", "0");
    await listeningPort(listener);
    listener.child.kill("SIGINT");
    assert.equal((await listener.ended).code, 130);
  });
});

describe("landline get", () => {
  const WEB_SERVER = `
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    print(server.server_address[1])
    server.serve_forever()
`;

  test("gets files from a Python web server", { skip }, async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "landline-cli-"));
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
    await writeFile(path.join(folder, "data.bin"), bytes);
    await writeFile(path.join(folder, "text.txt"), "plain text");
    await using server = python(WEB_SERVER, folder);
    const [port = ""] = await server.until(/\d+/);
    const base = `http://127.0.0.1:${port}`;

    assert.deepEqual(await runLandline(["get", `${base}/text.txt`]), { code: 0, stdout: "plain text", stderr: "" });
    const included = await runLandline(["get", "-i", `127.0.0.1:${port}/text.txt`]);
    assert.match(included.stdout, /^HTTP\/1\.0 200 OK\r\n(?:.+\r\n)*content-length: 10\r\n(?:.+\r\n)*\r\nplain text$/);

    const saved = path.join(folder, "saved.bin");
    assert.equal((await runLandline(["get", "-o", saved, `${base}/data.bin`])).code, 0);
    assert.deepEqual(await readFile(saved), bytes);
    const piped = landline("get", `${base}/data.bin`);
    piped.child.stdout.setEncoding("latin1");
    assert.equal((await piped.ended).stdout, bytes.toString("latin1"));

    assert.equal((await runLandline(["get", `${base}/missing`])).code, 0);
    const failed = await runLandline(["get", "--fail", `${base}/missing`]);
    assert.equal(failed.code, 1);
    assert.equal(failed.stdout, "");
    assert.match(failed.stderr, /^landline: 127\.0\.0\.1:\d+ answered 404 .*\n$/);
    const unwritable = await runLandline(["get", "-o", path.join(folder, "no", "such"), `${base}/text.txt`]);
    assert.equal(unwritable.code, 1);
    assert.equal(
      unwritable.stderr,
      `landline: Cannot write ${path.join(folder, "no", "such")}: no such file or directory\n`,
    );
    await rm(folder, { recursive: true });
  });

  test("sends headers, enforces --max-time, follows redirects", async () => {
    await using server = await serve({}, async (connection, signal) => {
      const head = Buffer.from(await connection.readUntil("\r\n\r\n")).toString("latin1");
      if (head.startsWith("GET /silent ")) await connection.read({ signal });
      else if (head.startsWith("GET /away ")) {
        await connection.write("HTTP/1.1 302 Found\r\nLocation: /home\r\nContent-Length: 0\r\n\r\n");
      } else await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
    });
    const base = `localhost:${server.address.port}`;
    const { stdout } = await runLandline(["get", "-H", "X-One: 1", "-H", "Accept: text/x", `${base}/away`]);
    assert.match(stdout, /^GET \/home HTTP\/1\.1\r\n/);
    assert.match(stdout, /\r\nx-one: 1\r\n/);
    assert.match(stdout, /\r\naccept: text\/x\r\n/);
    const slow = await runLandline(["get", "--max-time", "200ms", `${base}/silent`]);
    assert.equal(slow.code, 1);
    assert.match(
      slow.stderr,
      /^landline: Cannot get from localhost:\d+: not done within 200 ms \(option timeoutMs\)\n$/,
    );
    const refused = await runLandline(["get", "--redirects", "0", "-i", `${base}/away`]);
    assert.match(refused.stdout, /^HTTP\/1\.1 302 Found\r\n/);
  });
});

describe("landline chat", () => {
  test("sends the lines of a pipe, and shows others' messages at a terminal", { skip }, async () => {
    await using server = landline("serve", "--port", "0");
    const [, port = ""] = await server.until(/:(\d+)\//);
    await using ada = landlineOnTerminal("chat", `localhost:${port}`, "--room", "builds", "--name", "ada");
    await ada.until(/In builds: ada/);

    const lines = Array.from({ length: 200 }, (_, index) => `line ${index}`).join("\n");
    const bob = await runLandline(
      ["chat", `localhost:${port}`, "--room", "builds", "--name", "bob"],
      `${lines}\nred \x1b[31m`,
    );
    assert.deepEqual(bob, { code: 0, stdout: "", stderr: "" });
    await ada.until(
      /\d\d:\d\d <bob> line 0\r\n[\s\S]*<bob> line 199\r\n[\s\S]*<bob> red ␛\[31m\r\n[\s\S]*bob left builds/,
    );

    ada.type("hello myself\r");
    await ada.until(/\d\d:\d\d <ada> hello myself\r\n/);
    ada.type("/topic Red and green\r");
    await ada.until(/\* Topic of builds: Red and green\r\n/);
    ada.type("/search lin 199\r");
    await ada.until(/\* Nothing found\r\n/);
    ada.type("/search hello my\r");
    await ada.until(/\d\d:\d\d <ada> hello myself\r\n[\s\S]*\d\d:\d\d <ada> hello myself\r\n\d\d:\d\d \* 1 found\r\n/);
    ada.type("/join other\r");
    await ada.until(/In other: ada\r\n[\s\S]*other> /);
    ada.type("/rooms\r");
    await ada.until(/Rooms: .*builds \(1\)/);
    ada.type("/quit\r");
    assert.equal((await ada.ended).code, 0);
  });

  test("shows typing users at a terminal, also while the user types, but not in a pipe", {
    skip,
  }, async () => {
    await using server = landline("serve", "--port", "0");
    const [, port = ""] = await server.until(/:(\d+)\//);
    await using ada = landlineOnTerminal("chat", `localhost:${port}`, "--name", "ada");
    await ada.until(/In lobby: ada/);
    await using eve = landlineOnTerminal("chat", `localhost:${port}`, "--name", "eve");
    await eve.until(/In lobby: ada, eve/);
    await using pipe = landline("chat", `localhost:${port}`, "--name", "pipe");
    await ada.until(/pipe joined lobby/);

    ada.type("/who\r");
    await ada.until(/In lobby: ada, eve, pipe/);
    eve.type("/who\r");
    await eve.until(/In lobby: ada, eve, pipe/);
    assert.doesNotMatch(eve.stdout, /writing/, "a command was announced as typing");
    ada.type("my draft");
    await eve.until(/ada is writing…/);
    eve.type("hel");
    await ada.until(/eve is writing….*\r\n.*lobby> my draft/);
    eve.type("lo\r");
    // The message removes the status and keeps the draft.
    await ada.until(/<eve> hello\r\n((?!writing)[\s\S])*lobby> my draft((?!writing)[\s\S])*$/);
    ada.type("!\r");
    await eve.until(/<ada> my draft!\r\n/);
    await pipe.until(/<ada> my draft!\n/);
    assert.doesNotMatch(pipe.stdout, /writing/);
    pipe.child.stdin.end();
    assert.equal((await pipe.ended).code, 0);
  });

  test("completes the name of a person in the room", { skip }, async () => {
    await using server = landline("serve", "--port", "0");
    const [, port = ""] = await server.until(/:(\d+)\//);
    await using anna = landlineOnTerminal("chat", `localhost:${port}`, "--name", "Annabelle");
    await anna.until(/In lobby: Annabelle/);
    await using bob = landlineOnTerminal("chat", `localhost:${port}`, "--name", "bob");
    await bob.until(/In lobby: Annabelle, bob[\s\S]*lobby> /);
    bob.type("hi aNN\t");
    await bob.until(/lobby> hi Annabelle/);
    bob.type("!\r");
    await anna.until(/<bob> hi Annabelle!\r\n/);
  });

  test("prints above the typed text, over any number of rows", { skip }, async () => {
    await using server = landline("serve", "--port", "0");
    const [, port = ""] = await server.until(/:(\d+)\//);
    await using ada = landlineOnTerminal("chat", `localhost:${port}`, "--name", "ada");
    await ada.until(/In lobby: ada/);
    ada.type("d".repeat(100));
    await ada.until(/d{100}/);
    await runLandline(["chat", `localhost:${port}`, "--name", "bob"], "one\ntwo\n");
    // Moving up from here would overwrite the new output.
    await ada.until(
      /bob joined lobby\r\n(?!\x1b\[\d+A)[\s\S]*<bob> one\r\n(?!\x1b\[\d+A)[\s\S]*<bob> two\r\n(?!\x1b\[\d+A)/,
    );
    ada.type("\r");
    await ada.until(/<ada> d{100}\r\n/);
  });

  test("exits when its output is not read, instead of buffering without limit", async () => {
    const message = "x".repeat(16_000);
    const hasJoined = Promise.withResolvers<void>();
    await using server = await scriptedChat("bob", async (say, { type, id }, connection) => {
      if (type !== "join") return;
      const position = { epoch: "e", seq: 0 };
      await say({ type: "joined", id, room: "lobby", position, members: ["bob"], count: 1, entries: [] });
      hasJoined.resolve();
      for (let seq = 1; connection.state === "established"; seq += 1) {
        await say({ type: "chat", room: "lobby", username: "ada", message, seq, prev: seq - 1, at: 0 });
      }
    });
    await using bob = landline("chat", `localhost:${portOf(server)}`, "--name", "bob");
    bob.child.stdout.pause();
    await Promise.race([hasJoined.promise, bob.ended.then(({ stderr }) => assert.fail(stderr))]);
    await bob.until(/^landline: Cannot print the room's messages: standard output is read too slowly\n$/, "stderr");
    bob.child.stdout.resume();
    assert.equal((await bob.ended).code, 1);
  });

  test("prints the reason when it cannot chat", async () => {
    const gone = await serve({}, () => undefined);
    await gone.close();
    const refused = await runLandline(["chat", `localhost:${gone.address.port}`]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^landline: Cannot connect to localhost:\d+: connection refused.*\n$/);
    await using echo = startEcho();
    const { tcp } = await echoPorts(echo);
    const wrong = await runLandline(["chat", `localhost:${tcp}`], "hello\n");
    assert.equal(wrong.code, 1);
    assert.equal(
      wrong.stderr,
      `landline: Cannot chat with localhost:${tcp}: the server does not speak the chat protocol\n`,
    );
  });

  test("sends a line that was typed before the room was joined", { skip }, async () => {
    await using server = await TestServer.start();
    const bob = await server.member("bob", "lobby");
    await using ada = landlineOnTerminal("chat", `localhost:${server.port}`, "--name", "ada");
    ada.type("typed early\r");
    const heard = await bob.nextWith("type", "chat");
    assert.equal(heard.message, "typed early");
    await ada.until(/In lobby: /);
    assert.doesNotMatch(ada.stdout, /Not in a room/);
  });

  test("leaves the room on Ctrl-C and exits with 130", { skip }, async () => {
    await using server = landline("serve", "--port", "0");
    const [, port = ""] = await server.until(/:(\d+)\//);
    await using ada = landlineOnTerminal("chat", `localhost:${port}`, "--name", "ada");
    await ada.until(/In lobby: ada/);
    ada.type("\x03");
    assert.equal((await ada.ended).code, 130);
  });
});

describe("landline", () => {
  test("shows every change of state with --trace", async () => {
    await using listener = await listen();
    const accepted = listener.accept();
    const client = landline("connect", "--trace", "localhost", String(listener.address.port));
    client.child.stdin.end("x");
    await using connection = await accepted;
    assert.equal(Buffer.from(await connection.readExactly(1)).toString(), "x");
    connection.closeWrite();
    const { code, stderr } = await client.ended;
    assert.equal(code, 0);
    const changes = stderr.trimEnd().split("\n");
    const states = changes.map((line) => /^\d\d:\d\d:\d\d\.\d{3} {2}connection #\d+ +(\S+ -> \S+)/.exec(line)?.[1]);
    assert.deepEqual(states, [
      "created -> connecting",
      "connecting -> established",
      "established -> half-closed-local",
      "half-closed-local -> closing",
      "closing -> closed",
    ]);
    assert.match(changes[1] ?? "", /\S+:\d+ -> \S+:\d+$/);
    assert.match(changes[3] ?? "", /\(the peer finished\)$/);
  });

  test("exits with 2 and a short help on wrong usage", async () => {
    for (const args of [
      [],
      ["nonsense"],
      ["connect", "localhost"],
      ["connect", "localhost", "http"],
      ["connect", "localhost", "0"],
      ["listen", "99999"],
      ["echo", "--tcp"],
      ["get", "ftp://localhost/"],
      ["get", "-H", "no colon", "http://localhost/"],
      ["get", "http://localhost/", "--max-time", "soon"],
      ["chat", "::1"],
      ["serve", "--bogus"],
      ["serve", "--ping-ms", "30s"],
      ["backup", "-"],
      ["serve", "--tcp", "9001"],
      ["serve", "--hosts", "http://chat.test"],
      ["serve", "--port", "99999"],
      ["serve", "--durability", "none"],
      ["config", "--config", "/nowhere/landline.json"],
      ["connect", "localhost:0"],
      ["get", "localhost:0"],
    ]) {
      const { code, stdout, stderr } = await runLandline(args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(stdout, "");
      assert.match(stderr, /Usage: landline/, args.join(" "));
      assert.ok(args.length === 0 || stderr.trimEnd().split("\n").length <= 4, stderr);
    }
  });

  test("reports a wrong argument with its reason", async () => {
    const texts: [string[], string][] = [
      [["connect", "localhost", "abc"], "Cannot use 'abc' for port: a port is an integer from 1 to 65535"],
      [["get", "localhost:0"], "Cannot use 'localhost:0' for url: a port is an integer from 1 to 65535\n"],
      [["connect", "localhost"], "Cannot connect to 'localhost': a port is missing"],
      [["get", "-m", "x", "a"], "Cannot use 'x' for --max-time: a time is in seconds, or has a unit (ms, s, m, h): "],
      [["serve", "--port", "web"], 'Cannot use port "web" (from --port): not a port from 0 to 65535'],
      [["serve", "--tcp", "1"], "Cannot use --tcp without --echo: "],
      [
        ["serve", "--ping-ms=30s"],
        "'--ping-ms' is not a flag; set LANDLINE_PING_MS, or pingMs in the configuration file\n",
      ],
      [
        ["config", "--rooms-max"],
        "'--rooms-max' is not a flag; set LANDLINE_ROOMS_MAX, or roomsMax in the configuration file\n",
      ],
      [["serve", "--bogus"], "unknown option '--bogus'\n"],
      [["backup", "-"], "Cannot back up to standard output: name a file\n"],
    ];
    for (const [args, text] of texts) {
      const { stderr } = await runLandline(args);
      assert.ok(stderr.startsWith(`landline: ${text}`), stderr);
    }
  });

  test("--help has examples, and --version prints the version", async () => {
    for (const name of ["serve", "chat", "connect", "listen", "echo", "get", "config"]) {
      const { code, stdout, stderr } = await runLandline([name, "--help"]);
      assert.equal(code, 0);
      assert.equal(stderr, "");
      assert.match(stdout, new RegExp(`Examples:\\n.*landline ${name}`));
      assert.doesNotMatch(stdout, /\[\]\)/, "a default is shown without its value");
    }
    const { code, stdout } = await runLandline(["--version"]);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

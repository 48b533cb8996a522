/**
 * The tutorial's transports, tested against Python's standard library as client and as server.
 */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { bind, connect, framed, lengthPrefixed, serve } from "@landline/sockets";
import { failOnLeaks } from "./leaks.ts";
import { skipWithoutPython } from "./programs.ts";

failOnLeaks();

const skip = skipWithoutPython();

/** A Python program. It exits after ten seconds, so that it does not outlive a failed test. */
class Python implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #output = "";
  #errors = "";

  constructor(program: string, ...args: readonly (string | number)[]) {
    const frame = `import signal, socket, struct, sys\nsignal.alarm(10)\nargs = sys.argv[1:]\n${program}`;
    this.#child = spawn("python3", ["-u", "-c", frame, ...args.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
  }

  /** The port that the program prints first. */
  async port(): Promise<number> {
    const closed = once(this.#child, "close");
    while (!this.#output.includes("\n")) {
      await Promise.race([once(this.#child.stdout, "data"), closed]);
      assert.equal(this.#child.exitCode, null, this.#errors);
    }
    return Number(this.#output.split("\n")[0]);
  }

  /** Waits until it exits with 0. Returns its output. */
  async finish(): Promise<string> {
    if (this.#child.exitCode === null) await once(this.#child, "close");
    assert.equal(this.#child.exitCode, 0, this.#errors);
    return this.#output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill();
    await once(this.#child, "close");
  }
}

const READ_TO_END = `
def read_to_end(connection):
    pieces = []
    while True:
        piece = connection.recv(4096)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
`;

const FRAMES = `
def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError("ended after %d of %d bytes" % (len(data), count))
        data += piece
    return data

def read_frame(connection):
    (length,) = struct.unpack("!I", read_exactly(connection, 4))
    return read_exactly(connection, length)

def write_frame(connection, payload):
    connection.sendall(struct.pack("!I", len(payload)) + payload)
`;

const MESSAGE = "Grüße, 世界 😀";

test("serve() echoes to a TCP client in Python, on both loopback addresses", { skip }, async () => {
  await using server = await serve({}, async (connection) => {
    for await (const chunk of connection) await connection.write(chunk);
  });
  await using client = new Python(
    `${READ_TO_END}
message = args[1].encode() * 10_000
for host in ("127.0.0.1", "::1", "localhost"):
    try:
        connection = socket.create_connection((host, int(args[0])))
    except OSError as error:
        # A machine without IPv6.
        assert host == "::1", error
        continue
    with connection:
        import threading
        def send():
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        assert read_to_end(connection) == message
        sender.join()
print("echoed")
`,
    server.address.port as number,
    MESSAGE,
  );
  assert.equal(await client.finish(), "echoed\n");
});

test("connect() talks to a TCP echo server in Python, and half-closes", { skip }, async () => {
  await using server = new Python(`${READ_TO_END}
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
connection, _ = listener.accept()
with connection:
    # It answers only after the client's end: without a half-close no answer would arrive.
    connection.sendall(read_to_end(connection))
print("done")
`);
  await using connection = await connect({ host: "127.0.0.1", port: await server.port() });
  await connection.write(MESSAGE);
  connection.closeWrite();
  const answer = Buffer.concat(await Array.fromAsync(connection));
  assert.equal(answer.toString(), MESSAGE);
  assert.match(await server.finish(), /done\n$/);
});

test("connect() reports reset when a server in Python breaks the connection", { skip }, async () => {
  await using server = new Python(`
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
connection, _ = listener.accept()
connection.recv(1)
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
connection.close()
`);
  const connection = await connect({ host: "127.0.0.1", port: await server.port() });
  await connection.write("x");
  await assert.rejects(connection.read(), { code: "reset" });
  await connection.closed;
  await server.finish();
});

test("bind() echoes to a UDP client in Python", { skip }, async () => {
  await using server = await bind();
  const echoing = (async () => {
    for await (const { data, from } of server) await server.send(data, from);
  })();
  await using client = new Python(
    `
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(5)
    for message in (args[1].encode(), b"", b"x" * 8192):
        client.sendto(message, ("127.0.0.1", int(args[0])))
        data, address = client.recvfrom(65535)
        assert data == message
        assert address[1] == int(args[0])
print("echoed")
`,
    server.address.port,
    MESSAGE,
  );
  assert.equal(await client.finish(), "echoed\n");
  await server.close();
  await echoing;
});

test("UdpSocket talks to a UDP echo server in Python", { skip }, async () => {
  await using server = new Python(`
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 0))
    print(server.getsockname()[1])
    for _ in range(2):
        data, address = server.recvfrom(65535)
        server.sendto(data, address)
`);
  const address = { host: "127.0.0.1", port: await server.port() };
  await using client = await bind();
  for (const message of [MESSAGE, ""]) {
    await client.send(message, address);
    const { data, from } = await client.receive({ timeoutMs: 5_000 });
    assert.equal(Buffer.from(data).toString(), message);
    assert.deepEqual(from, address);
  }
  await server.finish();
});

test("lengthPrefixed() reads and writes the frames of a client in Python", { skip }, async () => {
  await using server = await serve({ host: "127.0.0.1" }, async (connection) => {
    const channel = framed(connection, lengthPrefixed());
    for await (const frame of channel) await channel.write(frame);
  });
  await using client = new Python(
    `${FRAMES}
with socket.create_connection(("127.0.0.1", int(args[0]))) as connection:
    payloads = [args[1].encode(), b"", b"\\x00\\x00\\x00\\x05", bytes(range(256)) * 400]
    for payload in payloads:
        write_frame(connection, payload)
    for payload in payloads:
        assert read_frame(connection) == payload
    # One frame byte by byte, a second one with the next one's header.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in struct.pack("!I", 3) + b"abc":
        connection.sendall(bytes([byte]))
    assert read_frame(connection) == b"abc"
    connection.sendall(struct.pack("!I", 1) + b"d" + struct.pack("!I", 2))
    assert read_frame(connection) == b"d"
    connection.sendall(b"ef")
    assert read_frame(connection) == b"ef"
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""
print("echoed")
`,
    server.address.port as number,
    MESSAGE,
  );
  assert.equal(await client.finish(), "echoed\n");
});

test("lengthPrefixed() reads and writes the frames of a server in Python", { skip }, async () => {
  await using server = new Python(`${FRAMES}
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
connection, _ = listener.accept()
with connection:
    for _ in range(3):
        write_frame(connection, read_frame(connection).upper())
    # A header without its frame.
    connection.sendall(struct.pack("!I", 10) + b"half")
`);
  await using channel = framed(
    await connect({ host: "127.0.0.1", port: await server.port() }),
    lengthPrefixed({ bytesMax: 100_000 }),
  );
  for (const message of ["hello", "", "x".repeat(100_000)]) {
    await channel.write(Buffer.from(message));
    const [frame] = await channel.read({ timeoutMs: 5_000 });
    assert.equal(Buffer.from(frame ?? "missing").toString(), message.toUpperCase());
  }
  await assert.rejects(channel.read({ timeoutMs: 5_000 }), {
    code: "frame-truncated",
    partial: Buffer.from("0000000a68616c66", "hex"),
  });
  await server.finish();
});

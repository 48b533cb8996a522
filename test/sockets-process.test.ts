/** The toolkit and its process: too few file descriptors, shared ports, and unref(). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Connection, connect } from "@landline/sockets";
import { CliProcess } from "./cli-process.ts";
import { failOnLeaks } from "./leaks.ts";
import { until } from "./until.ts";

failOnLeaks();

const isWindows = process.platform === "win32";
const TIMEOUT = { timeout: 300_000 };
process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** Runs a JavaScript module with the toolkit's source. `descriptorsMax` limits its open files. */
function run(program: string, descriptorsMax?: number): CliProcess {
  const args = ["--conditions=@landline/source", "--input-type=module", "-e", program];
  if (descriptorsMax === undefined) return new CliProcess(process.execPath, args);
  const shell = ["-c", `ulimit -n ${descriptorsMax}; exec "$0" "$@"`, process.execPath, ...args];
  return new CliProcess("sh", shell);
}

/** An echo server in this style. Prints its port, and its state for each input line. Its clock is manual. */
const ECHO = (style: "serve" | "listen"): string => `
import { openSync, closeSync } from "node:fs";
import { createInterface } from "node:readline";
import { listen, serve } from "@landline/sockets";

let now = 1_000;
performance.now = () => now;
const reports = [];
const options = { host: "127.0.0.1", onError: ({ code, cause, message }) => reports.push([code, cause.code, message]) };
const echo = async (connection) => {
  try {
    for await (const chunk of connection) await connection.write(chunk);
  } catch {}
  await connection.close();
};
const server = ${style === "serve" ? "await serve(options, echo)" : "await listen(options)"};
${style === "serve" ? "" : "(async () => { for await (const connection of server) void echo(connection); })();"}
console.log("port", server.address.port);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.endsWith("later")) now += 1_000;
  // The server must leave a descriptor for files.
  closeSync(openSync(".", "r"));
  const { acceptErrors, dropped, state } = server;
  console.log(line, JSON.stringify({ acceptErrors, dropped, state, reports }));
}
`;

interface Standing {
  readonly acceptErrors: number;
  readonly dropped: number;
  readonly state: string;
  readonly reports: readonly (readonly [code: string, causeCode: string, message: string])[];
}

let asked = 0;

async function ask(child: CliProcess, question: string): Promise<Standing> {
  asked += 1;
  child.type(`${asked} ${question}\n`);
  const [, json = ""] = await child.until(new RegExp(`^${asked} ${question} (.*)$`, "m"));
  return JSON.parse(json) as Standing;
}

/** Connects and waits for an echo. Returns `undefined` if the connection breaks. */
async function call(port: number): Promise<Connection | undefined> {
  try {
    const connection = await connect({ host: "127.0.0.1", port, timeoutMs: 20_000 });
    try {
      await connection.write("x");
      await connection.readExactly(1, { timeoutMs: 20_000 });
      return connection;
    } catch {
      connection.reset();
      await connection.closed;
    }
  } catch {}
  return undefined;
}

async function discard(connections: readonly Connection[]): Promise<void> {
  for (const connection of connections) connection.reset();
  await Promise.all(connections.map(({ closed }) => closed));
}

describe("a process that runs out of descriptors", { ...TIMEOUT, skip: isWindows }, () => {
  for (const style of ["serve", "listen"] as const) {
    test(`${style}() counts refused connections, reports them once per second, and serves later ones`, async () => {
      await using child = run(ECHO(style), 64);
      const port = Number((await child.until(/^port (\d+)$/m))[1]);
      const callers = await Promise.all(Array.from({ length: 100 }, () => call(port)));
      const served = callers.filter((connection) => connection !== undefined);
      const refused = callers.length - served.length;
      assert.ok(served.length > 0 && refused > 0, `${served.length} served, ${refused} refused`);

      const { reports, ...counts } = await ask(child, "now");
      assert.deepEqual(counts, { acceptErrors: refused, dropped: 0, state: "listening" });
      assert.equal(reports.length, 1);
      assert.deepEqual(reports[0]?.slice(0, 2), ["system", "EMFILE"]);
      assert.match(
        reports[0]?.[2] ?? "",
        /^Cannot accept a connection on .*: the process has nearly all of its 64 file/,
      );

      // One second later, it reports again.
      await ask(child, "later");
      assert.equal(await call(port), undefined);
      assert.equal((await ask(child, "now")).reports.length, 2);

      for (const connection of served) {
        await connection.write("still here");
        assert.equal(String(Buffer.from(await connection.readExactly(10))), "still here");
      }
      await discard(served);
      let late = await call(port);
      // Retry until the server has noticed that the others are gone.
      for (let attempt = 0; late === undefined && attempt < 1_000; attempt += 1) late = await call(port);
      assert.ok(late !== undefined);
      await discard([late]);
      assert.equal(child.stderr, "");
    });
  }
});

test("a process that runs out of descriptors without onError gets one warning", {
  ...TIMEOUT,
  skip: isWindows,
}, async () => {
  await using child = run(ECHO("serve").replace("options, echo", '{ host: "127.0.0.1" }, echo'), 64);
  const port = Number((await child.until(/^port (\d+)$/m))[1]);
  const callers = await Promise.all(Array.from({ length: 100 }, () => call(port)));
  const served = callers.filter((connection) => connection !== undefined);
  assert.equal((await ask(child, "now")).acceptErrors, callers.length - served.length);
  await until(() => child.stderr.includes("Cannot accept"), "a warning");
  const warnings = child.stderr.match(/SocketError: Cannot accept a connection on 127\.0\.0\.1:\d+/g);
  assert.equal(warnings?.length, 1, child.stderr);
  await discard(served);
});

test("listen() on localhost leaves nothing open without a descriptor for the second address", {
  ...TIMEOUT,
  skip: process.platform !== "linux" && "the limit is set with ulimit",
}, async () => {
  const program = `
import { closeSync, openSync } from "node:fs";
import { listen } from "@landline/sockets";
// The first call opens a descriptor for libuv.
await (await listen()).close();
const opened = [];
try {
  for (;;) opened.push(openSync("/dev/null"));
} catch {}
// The one free descriptor serves 127.0.0.1. It must be free again afterwards: with another one, both addresses open.
closeSync(opened.pop());
await listen().then(() => console.log("listens"), ({ code, message }) => console.log(code, message));
closeSync(opened.pop());
console.log((await listen()).state);
process.exit();
`;
  const { stdout } = await run(program, 64).ended;
  assert.match(stdout, /^system Cannot listen on \[::1\]:\d+: .*EMFILE.*\nlistening\n$/);
});

/** Runs a module in a new network namespace after `setup`. */
function runInNetwork(setup: string, program: string): CliProcess {
  const args = ["--conditions=@landline/source", "--input-type=module", "-e", program];
  const shell = `${setup} && exec "$0" "$@"`;
  return new CliProcess("unshare", ["--map-root-user", "--net", "sh", "-c", shell, process.execPath, ...args]);
}

describe("listen() on localhost in a network namespace", { ...TIMEOUT, skip: noNamespaces() }, () => {
  test("tries another port when one loopback address is in use", async () => {
    // The kernel offers one of four odd ports first. One of them is in use on ::1.
    const program = `
import { once } from "node:events";
import net from "node:net";
import { connect, listen } from "@landline/sockets";
const taken = net.createServer().listen(40001, "::1");
await once(taken, "listening");
for (let times = 0; times < 40; times += 1) {
  await using listener = await listen();
  const { port } = listener.address;
  if (port === 40001) throw new Error("a port with only one of its addresses");
  for (const host of ["127.0.0.1", "::1"]) {
    const client = await connect({ host, port });
    const accepted = await listener.accept();
    for (const connection of [client, accepted]) connection.reset();
    await Promise.all([client.closed, accepted.closed]);
  }
}
console.log("done");
process.exit();
`;
    const range = "echo 40000 40007 > /proc/sys/net/ipv4/ip_local_port_range";
    const { stdout, stderr } = await runInNetwork(`ip link set lo up && ${range}`, program).ended;
    assert.equal(stdout, "done\n", stderr);
  });

  test("opens one address on a machine without ::1", async () => {
    const program = `
import { connect, listen } from "@landline/sockets";
await using listener = await listen();
const client = await connect({ host: "127.0.0.1", port: listener.address.port });
client.reset();
(await listener.accept()).reset();
await listen({ host: "::1" }).catch(({ code }) => console.log(listener.state, code));
`;
    const disable = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
    const { stdout, stderr } = await runInNetwork(`${disable} && ip link set lo up`, program).ended;
    assert.equal(stdout, "listening address-not-available\n", stderr);
  });
});

/** The reason why no network namespace can be set up, or false. */
function noNamespaces(): string | false {
  const { status, error } = spawnSync("unshare", ["--map-root-user", "--net", "ip", "link", "set", "lo", "up"]);
  return error === undefined && status === 0 ? false : "this user cannot set up a network namespace";
}

describe("listen() and serve() with reusePort", { ...TIMEOUT, skip: process.platform !== "linux" }, () => {
  const program = (port: number): string => `
import { serve } from "@landline/sockets";
const options = { host: "127.0.0.1", port: ${port}, reusePort: true };
const server = await serve(options, (connection) => connection.write(String(process.pid)));
console.log("port", server.address.port);
`;

  test("share a port between processes, and each of them serves", async () => {
    await using first = run(program(0));
    const port = Number((await first.until(/^port (\d+)$/m))[1]);
    await using second = run(program(port));
    await second.until(/^port/m);
    const served = new Set<number>();
    // The kernel selects the process by the client's port. With a hundred connections, both get some.
    for (let i = 0; i < 100 && served.size < 2; i += 1) {
      await using connection = await connect({ host: "127.0.0.1", port });
      served.add(Number((await Array.fromAsync(connection, (chunk) => String(Buffer.from(chunk)))).join("")));
    }
    assert.deepEqual(served, new Set([first.child.pid, second.child.pid]));
  });

  test("do not share a port with a process that does not set reusePort", async () => {
    await using first = run(program(0).replace("reusePort: true", "reusePort: false"));
    const port = Number((await first.until(/^port (\d+)$/m))[1]);
    await using second = run(program(port));
    assert.match((await second.ended).stderr, /address-in-use/);
  });
});

describe("unref()", TIMEOUT, () => {
  const peer = `
const server = net.createServer().listen(0, "127.0.0.1").unref();
await once(server, "listening");
server.on("connection", (socket) => socket.unref());
const address = { host: "127.0.0.1", port: server.address().port };
`;
  const opened: Readonly<Record<string, string>> = {
    Server: "await serve({}, () => {})",
    Listener: "await listen()",
    UdpSocket: "await bind()",
    // A connection keeps the process alive only while it is read.
    Connection: "await connect(address); void opened.read()",
  };

  for (const [name, opening] of Object.entries(opened)) {
    const program = (more: string): string => `
import { once } from "node:events";
import net from "node:net";
import { bind, connect, listen, serve } from "@landline/sockets";
${peer}
const opened = ${opening};
${more}
process.on("exit", () => console.log("over", opened.state));
`;

    test(`lets a process with an open ${name} exit, and ref() undoes it`, async () => {
      await using ending = run(program("opened.unref();"));
      const { code, stdout, stderr } = await ending.ended;
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^over (listening|bound|established)\n$/);

      // This timer is unreferenced: it fires only if the socket keeps the process alive.
      const stay = "setTimeout(() => { console.log('stayed'); opened.unref(); }, 20).unref();";
      await using staying = run(program(`opened.unref(); opened.ref(); ${stay}`));
      assert.match((await staying.ended).stdout, /^stayed\nover (listening|bound|established)\n$/);
    });
  }
});

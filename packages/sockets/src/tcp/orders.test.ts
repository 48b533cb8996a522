import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { seed } from "../../../../test/seed.ts";

failOnLeaks();

const program = fileURLToPath(new URL("../../../../test/fixtures/orders-process.ts", import.meta.url));

/** The orders that started and did not end. */
function unfinished(output: string): string[] {
  const left = new Set<string>();
  for (const line of output.split("\n")) {
    if (line.startsWith("begin ")) left.add(line.slice("begin ".length));
    if (line.startsWith("end ")) left.delete(line.slice("end ".length));
  }
  return [...left];
}

describe("Connection", () => {
  // Runs in child processes: Node's TLS crashes the process in some orders.
  for (const transport of ["tcp", "tls", "startTls"]) {
    test(`survives every order of send, end, abort and throw over ${transport}`, async () => {
      const args = ["--conditions=@landline/source", program, transport, String(seed())];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const exited = once(child, "exit");
      const output = await text(child.stdout);
      const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
      const failure = output.slice(output.indexOf("FAILED"));
      const killers = unfinished(output).join("\n");
      assert.equal(signal ?? code, 0, code === 1 ? failure : `died of one of these:\n${killers}`);
      assert.match(output, /^end /m, "no order was run");
    });
  }
});

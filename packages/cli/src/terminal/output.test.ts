import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CommandFailed, OutputClosed } from "./exit.ts";
import { Output, type OutputStream } from "./output.ts";

function fakeStream(isTTY: boolean, error?: Error): { stream: OutputStream; written: () => Buffer } {
  const parts: Buffer[] = [];
  return {
    written: () => Buffer.concat(parts),
    stream: {
      isTTY,
      write: (data, written) => {
        parts.push(Buffer.from(data as string));
        written(error ?? null);
        return true;
      },
    },
  };
}

describe("Output", () => {
  test("passes bytes into a pipe as they are", async () => {
    const { stream, written } = fakeStream(false);
    const output = new Output(stream);
    await output.write(Uint8Array.of(0x1b, 0xff, 0x00, 0x0d));
    await output.end();
    assert.deepEqual([...written()], [0x1b, 0xff, 0x00, 0x0d]);
  });

  test("shows safe text on a terminal and ends its last line", async () => {
    const { stream, written } = fakeStream(true);
    const output = new Output(stream);
    await output.write(Buffer.from("\x1b[2Jé").subarray(0, -1));
    await output.write(Buffer.from("é").subarray(1));
    await output.end();
    assert.equal(written().toString(), "␛[2Jé\n");
  });

  test("prints text safely everywhere", async () => {
    for (const isTTY of [false, true]) {
      const { stream, written } = fakeStream(isTTY);
      await new Output(stream).print("\x1b[2J\u202e");
      assert.equal(written().toString(), "␛[2J\\u202e\n");
    }
  });

  test("rejects in words when it cannot be written", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left, write"), { code: "ENOSPC", errno: -28 });
    await assert.rejects(
      new Output(fakeStream(false, full).stream).print("a"),
      new CommandFailed("Cannot write standard output: no space left on device", { cause: full }),
    );
  });

  test("rejects when the reader is gone", async () => {
    const { stream } = fakeStream(false, Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await assert.rejects(new Output(stream).write(Buffer.from("a")), OutputClosed);
  });
});

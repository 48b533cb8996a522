import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OutputClosed } from "./exit.ts";
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

  test("rejects when nobody reads", async () => {
    const { stream } = fakeStream(false, Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await assert.rejects(new Output(stream).write(Buffer.from("a")), OutputClosed);
  });
});

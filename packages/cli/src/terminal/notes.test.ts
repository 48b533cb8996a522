import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type NoteStream, Notes } from "./notes.ts";

/** A stream whose reader is slow: what is written waits until it is read. */
class SlowStream implements NoteStream {
  text = "";
  writableLength = 0;

  write(text: string): boolean {
    this.text += text;
    this.writableLength += Buffer.byteLength(text);
    return false;
  }

  read(): string {
    const { text } = this;
    this.text = "";
    this.writableLength = 0;
    return text;
  }
}

describe("Notes", () => {
  test("writes lines, made safe", () => {
    const stream = new SlowStream();
    new Notes(stream).write("one\ntwo \x1b[2J\u2028");
    assert.equal(stream.read(), "one\ntwo ␛[2J\\u2028\n");
  });

  test("buffers 1 MiB for a slow reader, drops later notes, and reports their number", () => {
    const stream = new SlowStream();
    const notes = new Notes(stream);
    for (let count = 0; count < 3_000; count += 1) notes.write("x".repeat(1_023));
    assert.equal(stream.read().length, 1_048_576);
    notes.write("y");
    notes.write("z");
    assert.equal(stream.read(), "landline: 1976 notes were dropped because the output was not read\ny\nz\n");
  });
});

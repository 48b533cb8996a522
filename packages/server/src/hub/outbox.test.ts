import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeLink } from "../../../../test/hub-fixture.ts";
import { Outbox } from "./outbox.ts";

describe("Outbox", () => {
  const open = (bytesMax = 10) => {
    const link = new FakeLink();
    let full = 0;
    const outbox = new Outbox(link, bytesMax, () => {
      full += 1;
    });
    const sent = () => Buffer.concat(link.sent).toString();
    return { link, outbox, sent, full: () => full };
  };
  const send = (outbox: Outbox, text: string) => outbox.send(Buffer.from(text));

  test("hold() reserves the place of an answer", () => {
    const { outbox, sent } = open();
    send(outbox, "a");
    outbox.hold();
    send(outbox, "c");
    send(outbox, "d");
    assert.equal(sent(), "a");
    outbox.release(Buffer.from("b"));
    assert.equal(sent(), "abcd");
    send(outbox, "e");
    assert.equal(sent(), "abcde");
  });

  test("release() works without an answer and without hold()", () => {
    const { outbox, sent } = open();
    outbox.hold();
    send(outbox, "a");
    outbox.release(undefined);
    outbox.release(Buffer.from("b"));
    assert.equal(sent(), "ab");
  });

  test("send() calls onFull and sends nothing when more than bytesMax bytes were buffered before", () => {
    const { link, outbox, sent, full } = open(10);
    link.bufferedBytes = 10;
    send(outbox, "a");
    assert.equal(full(), 0);
    link.bufferedBytes = 11;
    send(outbox, "b");
    assert.equal(full(), 1);
    assert.equal(sent(), "a");
  });

  test("send() counts held bytes as buffered", () => {
    const { outbox, full } = open(10);
    outbox.hold();
    send(outbox, "x".repeat(10));
    send(outbox, "y");
    assert.equal(full(), 0);
    send(outbox, "z");
    assert.equal(full(), 1);
    outbox.release(undefined);
    send(outbox, "z");
    assert.equal(full(), 1);
  });

  test("close() sends the last bytes past all limits, drops held bytes, and sends nothing after", () => {
    const { link, outbox, sent, full } = open(10);
    outbox.hold();
    send(outbox, "held");
    link.bufferedBytes = 1_000;
    outbox.close(Buffer.from("bye"));
    outbox.close(Buffer.from("again"));
    outbox.release(Buffer.from("answer"));
    send(outbox, "late");
    assert.equal(sent(), "bye");
    assert.equal(full(), 0);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../test/seed.ts";
import { asBuffer, ByteQueue } from "./byte-queue.ts";

function queueOf(...chunks: readonly string[]): ByteQueue {
  const queue = new ByteQueue();
  for (const chunk of chunks) queue.push(Buffer.from(chunk));
  return queue;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test("ByteQueue.take() takes bytes across chunks, in order", () => {
  const queue = queueOf("ab", "", "c", "defg");
  assert.equal(queue.length, 7);
  assert.equal(text(queue.take(1)), "a");
  assert.equal(text(queue.take(3)), "bcd");
  assert.equal(text(queue.take(0)), "");
  assert.equal(queue.length, 3);
  assert.equal(text(queue.take(3)), "efg");
  assert.equal(queue.length, 0);
});

test("ByteQueue.take() shares memory when the bytes lie in one chunk", () => {
  const chunk = Buffer.from("abcd");
  const queue = new ByteQueue();
  queue.push(chunk);
  const taken = queue.take(2);
  chunk[0] = 0x7a;
  assert.equal(text(taken), "zb");
});

test("ByteQueue.takeChunk() returns the rest of the first chunk, and nothing when empty", () => {
  const queue = queueOf("abc", "de");
  queue.drop(1);
  assert.equal(text(queue.takeChunk()), "bc");
  assert.equal(text(queue.takeChunk()), "de");
  assert.equal(queue.takeChunk().length, 0);
  assert.equal(queue.length, 0);
});

test("ByteQueue.unshift() puts bytes in front of a partly taken chunk", () => {
  const queue = queueOf("abc", "d");
  queue.drop(2);
  queue.unshift(Buffer.from("xy"));
  queue.unshift(new Uint8Array(0));
  assert.equal(queue.length, 4);
  assert.equal(text(queue.take(4)), "xycd");
  queue.unshift(Buffer.from("z"));
  assert.equal(text(queue.takeChunk()), "z");
});

test("ByteQueue.unshift() does not bring back taken bytes of merged chunks", () => {
  const queue = queueOf("ab", "c");
  queue.drop(2);
  queue.push(Buffer.from("d"));
  queue.drop(1);
  queue.unshift(Buffer.from("x"));
  queue.push(Buffer.from("e"));
  assert.equal(text(queue.take(queue.length)), "xde");
});

test("ByteQueue.at() returns every byte, and undefined beyond them", () => {
  const queue = queueOf("ab", "c");
  queue.drop(1);
  assert.deepEqual(
    [0, 1, 2].map((index) => queue.at(index)),
    [0x62, 0x63, undefined],
  );
});

test("ByteQueue.indexOf() finds a delimiter across chunks", () => {
  assert.equal(queueOf("ab\r", "\n", "c").indexOf(Buffer.from("\r\n")), 2);
  assert.equal(queueOf("a", "b", "c", "d").indexOf(Buffer.from("bcd")), 1);
  assert.equal(queueOf("a", "b", "c").indexOf(Buffer.from("bcd")), -1);
  assert.equal(queueOf("aaa", "ab").indexOf(Buffer.from("aab")), 2);
  assert.equal(queueOf("ab").indexOf(Buffer.from("ab"), 1), -1);
  assert.equal(queueOf().indexOf(Buffer.from("a")), -1);
  assert.equal(queueOf("ab").indexOf(new Uint8Array(0), 1), 1);
});

test("ByteQueue.clear() removes all bytes", () => {
  const queue = queueOf("ab", "cd");
  queue.drop(1);
  queue.clear();
  assert.equal(queue.length, 0);
  assert.equal(queue.at(0), undefined);
  queue.push(Buffer.from("x"));
  assert.equal(text(queue.take(1)), "x");
});

test("ByteQueue releases taken chunks while others stay", () => {
  const queue = new ByteQueue();
  let expected = "";
  for (let i = 0; i < 500; i += 1) {
    queue.push(Buffer.from(String(i)));
    expected += String(i);
    // Take one byte per chunk, so that the list grows and shrinks at the same time.
    assert.equal(text(queue.take(1)), expected[0]);
    expected = expected.slice(1);
  }
  assert.equal(text(queue.take(queue.length)), expected);
});

/** An operation of the model test below, on the queue and on a plain string. */
type Step = readonly ["push" | "unshift" | "take" | "drop" | "chunk" | "indexOf" | "at" | "clear", string, number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom("push", "push", "push", "unshift", "take", "drop", "chunk", "indexOf", "at", "clear"),
  fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 5 }),
  fc.nat(12),
) as fc.Arbitrary<Step>;

test("ByteQueue behaves like a plain array of bytes under random operations", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const queue = new ByteQueue();
      let model = "";
      for (const [action, bytes, number] of steps) {
        const count = Math.min(number, model.length);
        switch (action) {
          case "push":
            queue.push(Buffer.from(bytes));
            model += bytes;
            break;
          case "unshift":
            queue.unshift(new Uint8Array(Buffer.from(bytes)));
            model = bytes + model;
            break;
          case "take":
            assert.equal(text(queue.take(count)), model.slice(0, count));
            model = model.slice(count);
            break;
          case "drop":
            queue.drop(count);
            model = model.slice(count);
            break;
          case "chunk": {
            const chunk = text(queue.takeChunk());
            assert.equal(chunk, model.slice(0, chunk.length));
            assert.ok(chunk.length > 0 || model === "");
            model = model.slice(chunk.length);
            break;
          }
          case "indexOf":
            if (bytes !== "") assert.equal(queue.indexOf(Buffer.from(bytes), number), model.indexOf(bytes, number));
            break;
          case "at":
            assert.equal(queue.at(number), model === "" ? undefined : Buffer.from(model)[number]);
            break;
          case "clear":
            queue.clear();
            model = "";
        }
        assert.equal(queue.length, model.length);
      }
    }),
    { numRuns: 300 },
  );
});

test("ByteQueue.indexOf() searches each chunk about once when continued", () => {
  const queue = new ByteQueue();
  const delimiter = Buffer.from("\r\n");
  let searches = 0;
  let searched = 0;
  for (let i = 0; i < 2_000; i += 1) {
    const chunk = Buffer.from("x");
    const { indexOf } = chunk;
    chunk.indexOf = ((...wanted: Parameters<typeof indexOf>) => {
      searches += 1;
      return indexOf.apply(chunk, wanted);
    }) as typeof indexOf;
    queue.push(chunk);
    assert.equal(queue.indexOf(delimiter, searched), -1);
    searched = Math.max(0, queue.length - delimiter.length + 1);
  }
  assert.ok(searches <= 4 * 2_000, `${searches} searches for 2,000 chunks`);
});

test("asBuffer() is a view of the same bytes", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
  const buffer = asBuffer(bytes);
  assert.deepEqual([...buffer], [2, 3]);
  buffer[0] = 9;
  assert.equal(bytes[0], 9);
  assert.equal(asBuffer(buffer), buffer);
});

test("ByteQueue.peek() returns the first bytes across chunks, and takes none", () => {
  const queue = queueOf("abc", "d", "ef");
  queue.drop(1);
  assert.equal(text(queue.peek(2)), "bc");
  assert.equal(text(queue.peek(4)), "bcde");
  assert.equal(text(queue.peek(9)), "bcdef");
  assert.equal(text(queueOf("ab").peek(9)), "ab");
  assert.equal(queueOf().peek(1).length, 0);
  assert.equal(queue.length, 5);
});

test("ByteQueue.onlyChunk is defined only while all bytes lie in one chunk", () => {
  const queue = queueOf("abc");
  const only = (): string | undefined => queue.onlyChunk?.toString("latin1", queue.offset);
  queue.drop(1);
  assert.equal(only(), "bc");
  queue.push(Buffer.from("d"));
  assert.equal(only(), undefined);
  queue.drop(2);
  assert.equal(only(), "d");
  queue.drop(1);
  assert.equal(only(), undefined);
});

test("ByteQueue.compact() releases a large chunk with a small rest, and no other", () => {
  const large = Buffer.alloc(65_536, "x");
  const queue = new ByteQueue();
  queue.push(large);
  queue.drop(large.length - 600);
  queue.compact();
  assert.equal(queue.onlyChunk?.buffer, large.buffer);
  queue.drop(590);
  queue.compact();
  assert.notEqual(queue.onlyChunk?.buffer, large.buffer);
  queue.push(Buffer.from("yz"));
  queue.compact();
  assert.equal(text(queue.take(queue.length)), "xxxxxxxxxxyz");
});

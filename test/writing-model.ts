/**
 * A model of writing to a {@link Connection}. Checks at every step what its documentation promises for sends, writes and
 * flushes in any order, and that the right bytes arrive.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { type Connection, SocketError, type WaitOptions, type WriteData } from "@landline/sockets";
import type { ConnectionPair } from "@landline/sockets/testing";

const [cert, key] = ["cert", "key"].map((name) =>
  readFileSync(new URL(`fixtures/localhost-${name}.pem`, import.meta.url)),
) as [Buffer, Buffer];

/** The deadline for promises to settle. Only a failing run takes this long. */
const HANG_MS = 30_000;

/** The low mark is below the high mark. */
export interface Marks {
  readonly writeHighWaterMark: number;
  readonly writeLowWaterMark: number;
}

/** A number of bytes. `high`: the high-water mark. */
export type Size = number | "high";
export type Part = { readonly text: Size } | { readonly bytes: Size };
export type Data = Part | readonly Part[];

export type Step =
  | { readonly do: "send" | "sendOnDrain"; readonly data: Data }
  | { readonly do: "write"; readonly data: Data; readonly until: Until; readonly isAwaited: boolean }
  | { readonly do: "flush"; readonly until: Until; readonly isAwaited: boolean }
  | { readonly do: "ask"; readonly answers: readonly Data[] }
  | { readonly do: "abort" | "pastDeadline" | "microtask" | "tick" | "turn" | "pause" | "resume" | "settle" };

/** What may end a wait early: a signal of the next `abort` step, an aborted signal, or a timeout in milliseconds. */
export type Until = "never" | "signal" | "aborted" | number;

/** How the writer ends. `last` is sent in the turn in which TLS starts. */
export type End =
  | "closeWrite"
  | "close"
  | "detach"
  | { readonly last: readonly Data[]; readonly startTls: readonly Step[]; readonly isSettled: boolean };

/** Written bytes, and the earliest and latest event at which they may be accepted. */
interface Piece {
  readonly bytes: Buffer;
  readonly from: number;
  /** Infinity until known. */
  to: number;
  isRefused: boolean;
}

/** Makes the bytes of a part. The first byte is the number of the part, so that different parts differ at once. */
function bytesOf(part: Part, number: number, high: number): Buffer {
  const size = "bytes" in part ? part.bytes : part.text;
  const length = size === "high" ? high : size;
  if (length === 0) return Buffer.alloc(0);
  if ("bytes" in part) return Buffer.alloc(length, PATTERN).fill(number, 0, 1);
  const rest = length - 1;
  return Buffer.from(String.fromCharCode(number) + "é".repeat(rest >> 1) + "x".repeat(rest & 1));
}

const PATTERN = Buffer.from(Array.from({ length: 251 }, (_, index) => index));

/** A connection under test, with a model of what must arrive at its peer. */
export class Writing {
  readonly #writer: Connection;
  readonly #peer: Connection;
  readonly #marks: Marks;
  #clock = 0;
  #parts = 0;
  readonly #sent: Piece[] = [];
  readonly #written: Piece[] = [];
  readonly #promises: Promise<void>[] = [];
  readonly #aborts: AbortController[] = [];
  /** Writes and flushes that have not settled yet. */
  #waiting = 0;
  /** The sends that answer each byte from the peer. */
  readonly #answers: (readonly Data[])[] = [];
  readonly #sentOnDrain: Data[] = [];
  /** True from a `send` that returned false until `drain`. */
  #isDrainOwed = false;
  #acceptedAtDrain = -1;
  /** Bytes sent since the buffer was empty: they may exceed the mark. */
  #sentBytes = 0;
  #writtenBytesMax = 0;
  #isEnded = false;
  #isSecuring = false;
  #detached: Duplex | undefined;
  readonly #received: Buffer[] = [];
  #receivedBytes = 0;
  /** The peer starts TLS after this many bytes. */
  #plainBytes = Number.POSITIVE_INFINITY;
  #error: unknown;

  constructor({ client, server }: ConnectionPair, marks: Marks) {
    this.#writer = client;
    this.#peer = server;
    this.#marks = marks;
    const close = (_: Connection, error: unknown): void => {
      this.#error ??= error;
    };
    client.handle({ data: (_, chunk) => this.#answer(chunk.length), drain: () => this.#drained(), close });
    server.handle({ data: (_, chunk) => this.#receive(chunk), close });
  }

  async run(steps: readonly Step[], end: End, after: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step);
    await within(this.#end(end), "the end");
    for (const step of after) await this.#step(step);
    const { promise: detachedClosed, resolve } = Promise.withResolvers<void>();
    if (this.#detached === undefined) resolve();
    else this.#detached.once("close", resolve).resume().end();
    this.#peer.resume();
    await within(Promise.all([this.#writer.closed, this.#peer.closed, detachedClosed]), "closing");
    await this.#settled();
    assert.equal(this.#error, undefined);
    assert.equal(this.#writer.bufferedBytes, 0);
    this.#checkReceived();
  }

  async #step(step: Step): Promise<void> {
    switch (step.do) {
      case "send":
        this.#send(step.data);
        break;
      case "sendOnDrain":
        this.#sentOnDrain.push(step.data);
        break;
      case "write":
        await this.#perhaps(step.isAwaited, this.#write(step.data, this.#waitOptions(step.until)));
        break;
      case "flush":
        await this.#perhaps(step.isAwaited, this.#flush(this.#waitOptions(step.until)));
        break;
      case "ask":
        this.#ask(step.answers);
        break;
      case "abort":
        this.#aborts.shift()?.abort();
        break;
      case "pastDeadline":
        this.#writer.setWriteDeadline(0);
        await tick();
        assert.equal(this.#waiting, 0, "a call waits past the deadline");
        this.#writer.setWriteDeadline(null);
        break;
      case "microtask":
        await undefined;
        break;
      case "tick":
        await tick();
        break;
      case "turn":
        await nextTurn();
        break;
      case "pause":
        this.#peer.pause();
        break;
      case "resume":
        this.#peer.resume();
        break;
      case "settle":
        await within(this.#settle(), "settling");
        break;
    }
    this.#check();
  }

  async #perhaps(isAwaited: boolean, promise: Promise<void>): Promise<void> {
    if (!isAwaited) return;
    this.#peer.resume();
    await within(promise, "an awaited call");
  }

  #waitOptions(until: Until): WaitOptions | undefined {
    if (until === "never") return undefined;
    if (until === "aborted") return { signal: AbortSignal.abort() };
    if (until !== "signal") return { timeoutMs: until };
    const abort = new AbortController();
    this.#aborts.push(abort);
    return { signal: abort.signal };
  }

  #check(): void {
    const { bufferedBytes, canWrite } = this.#writer;
    const { writeHighWaterMark: high } = this.#marks;
    if (bufferedBytes === 0) this.#sentBytes = 0;
    if (this.#isEnded || this.#isHeld) assert.equal(canWrite, false);
    else {
      // A write also waits behind others, until the stream reports room.
      if (canWrite !== bufferedBytes < high) assert.deepEqual([canWrite, this.#waiting > 0], [false, true]);
      assert.ok(bufferedBytes < high + this.#writtenBytesMax + this.#sentBytes, "a write did not wait above the mark");
    }
  }

  #make(data: Data): { readonly data: WriteData; readonly piece: Piece } {
    const parts = (Array.isArray(data) ? data : [data]) as readonly Part[];
    const all = parts.map((part) => {
      this.#parts = (this.#parts + 1) % 128;
      return bytesOf(part, this.#parts, this.#marks.writeHighWaterMark);
    });
    const made = all.map((bytes, index) => ("text" in (parts[index] as Part) ? String(bytes) : bytes));
    this.#clock += 1;
    const piece = { bytes: Buffer.concat(all), from: this.#clock, to: Number.POSITIVE_INFINITY, isRefused: false };
    return { data: Array.isArray(data) ? made : (made[0] as Buffer | string), piece };
  }

  #send(given: Data): void {
    const { data, piece } = this.#make(given);
    const before = this.#writer.bufferedBytes;
    const hasRoom = this.#writer.send(data);
    if (this.#isEnded) {
      assert.equal(hasRoom, false);
      assert.equal(this.#writer.bufferedBytes, before);
      return;
    }
    piece.to = piece.from;
    this.#sent.push(piece);
    this.#sentBytes += piece.bytes.length;
    if (this.#isHeld) assert.equal(this.#writer.bufferedBytes, before + piece.bytes.length);
    if (!hasRoom) this.#isDrainOwed = true;
    else assert.ok(this.#writer.canWrite, "send() returned true without room");
  }

  #write(given: Data, options: WaitOptions | undefined): Promise<void> {
    const { data, piece } = this.#make(given);
    const { bufferedBytes, canWrite } = this.#writer;
    const promise = this.#writer.write(data, options);
    this.#written.push(piece);
    const isRefused = this.#isEnded || options?.signal?.aborted === true;
    if (isRefused || !canWrite) assert.equal(this.#writer.bufferedBytes, bufferedBytes, "write() did not wait");
    else piece.to = piece.from;
    this.#writtenBytesMax = Math.max(this.#writtenBytesMax, piece.bytes.length);
    return this.#track(
      promise,
      options,
      () => {
        assert.ok(!isRefused);
        this.#clock += 1;
        piece.to = Math.min(piece.to, this.#clock);
      },
      () => {
        assert.equal(piece.to, Number.POSITIVE_INFINITY, "a write was refused although canWrite was true");
        piece.isRefused = true;
      },
    );
  }

  #flush(options: WaitOptions | undefined): Promise<void> {
    const [sent, written] = [this.#sent.length, this.#written.length];
    return this.#track(this.#writer.flush(options), options, () => {
      const before = this.#written.slice(0, written);
      const waiting = before.filter(({ to, isRefused }) => to === Number.POSITIVE_INFINITY && !isRefused);
      assert.deepEqual(waiting, [], "flush() did not wait for the writes before it");
      const isLast = sent === this.#sent.length && written === this.#written.length;
      if (isLast) assert.equal(this.#writer.bufferedBytes, 0, "bytes are left after flush()");
    });
  }

  #track(
    promise: Promise<void>,
    options: WaitOptions | undefined,
    resolved: () => void,
    rejected = () => {},
  ): Promise<void> {
    this.#waiting += 1;
    const tracked = promise.then(
      () => {
        this.#waiting -= 1;
        resolved();
      },
      (error: unknown) => {
        this.#waiting -= 1;
        rejected();
        if (options?.signal?.aborted && error === options.signal.reason) return;
        assert.ok(error instanceof SocketError, String(error));
        if (error.code !== "timeout") assert.deepEqual([error.code, this.#isEnded], ["closed", true], error.message);
      },
    );
    // Handled at the end, unless something else fails first.
    tracked.catch(() => undefined);
    this.#promises.push(tracked);
    return tracked;
  }

  async #settled(): Promise<void> {
    await within(Promise.allSettled(this.#promises), "writes and flushes");
    await Promise.all(this.#promises);
  }

  async #settle(): Promise<void> {
    this.#peer.resume();
    await this.#settled();
    if (this.#isEnded) return;
    do {
      await this.#flush(undefined);
      await nextTurn();
    } while (this.#isDrainOwed || this.#writer.bufferedBytes > 0);
    assert.ok(this.#writer.canWrite);
    assert.ok(this.#writer.send(""), "send() returned false with an empty buffer");
  }

  #ask(answers: readonly Data[]): void {
    if (this.#isEnded || (this.#isHeld && this.#plainBytes !== 0)) return;
    this.#answers.push(answers);
    this.#peer.send("?");
  }

  #answer(count: number): void {
    for (const answers of this.#answers.splice(0, count)) for (const data of answers) this.#send(data);
  }

  #drained(): void {
    const accepted = this.#sent.length + this.#written.length;
    assert.notEqual(accepted, this.#acceptedAtDrain, "drain without a write since the last one");
    this.#acceptedAtDrain = accepted;
    this.#isDrainOwed = false;
    const { bufferedBytes, canWrite } = this.#writer;
    assert.ok(canWrite, "drain without room");
    const isSecure = this.#plainBytes !== Number.POSITIVE_INFINITY;
    if (this.#waiting === 0 && !isSecure)
      assert.ok(bufferedBytes <= this.#marks.writeLowWaterMark, "drain above the low mark");
    const next = this.#sentOnDrain.shift();
    if (next !== undefined) this.#send(next);
  }

  #receive(chunk: Uint8Array): void {
    this.#received.push(Buffer.from(chunk));
    this.#receivedBytes += chunk.length;
    this.#securePeer();
  }

  async #end(end: End): Promise<void> {
    if (typeof end === "object") {
      await this.#startTls(end.last);
      for (const step of end.startTls) await this.#step(step);
      if (end.isSettled) await this.#settle();
    }
    this.#isEnded = true;
    if (end === "close") void this.#writer.close();
    else if (end === "detach") {
      const { socket } = this.#writer.detach();
      socket.on("error", (error) => {
        this.#error ??= error;
      });
      this.#detached = socket;
    } else this.#writer.closeWrite();
  }

  /** Whether a handshake owns the stream. */
  get #isHeld(): boolean {
    return this.#isSecuring && this.#writer.alpn === undefined;
  }

  /** Starts TLS as the server, so that no handshake bytes follow the plain bytes before the peer has read them. */
  async #startTls(last: readonly Data[]): Promise<void> {
    while (this.#answers.length > 0) await nextTurn();
    // Lets the promises of writes accepted in this turn settle, too.
    await nextTurn();
    for (const data of last) this.#send(data);
    const accepted = [...this.#sent, ...this.#written].filter((piece) => piece.to <= this.#clock && !piece.isRefused);
    this.#plainBytes = accepted.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#isSecuring = true;
    const secured = this.#writer.startTls({ isServer: true, cert, key, alpn: ["model"] });
    secured.catch(() => undefined);
    this.#promises.push(secured);
    this.#securePeer();
  }

  #securePeer(): void {
    if (this.#receivedBytes !== this.#plainBytes) return;
    this.#plainBytes = 0;
    const secured = this.#peer.startTls({ ca: cert, servername: "localhost", alpn: ["model"] });
    secured.catch(() => undefined);
    this.#promises.push(secured);
  }

  /** Sends arrive in order, and writes arrive in order. Mixed, they arrive as if each was accepted at one moment. */
  #checkReceived(): void {
    const rest = [this.#sent, this.#written.filter(({ isRefused }) => !isRefused)].map((pieces) =>
      pieces.filter(({ bytes }) => bytes.length > 0),
    );
    const received = Buffer.concat(this.#received);
    let [offset, now] = [0, 0];
    while (offset < received.length) {
      const next = rest.find(([piece]) => piece?.bytes.equals(received.subarray(offset, offset + piece.bytes.length)));
      const piece = next?.shift();
      assert.ok(piece !== undefined, `wrong bytes at ${offset} of ${received.length}`);
      offset += piece.bytes.length;
      now = Math.max(now, piece.from);
      assert.ok(now <= piece.to, `the bytes before ${offset} arrived out of order`);
    }
    const missing = rest.flat().map(({ bytes }) => bytes.length);
    assert.deepEqual(missing, [], "accepted bytes did not arrive");
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what} did not settle` })), HANG_MS);
  });
  return Promise.race([promise, hung]).finally(() => clearTimeout(timer));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function tick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

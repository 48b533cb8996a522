import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Address } from "../address.ts";
import { fromNodeError, SocketError, type SocketErrorFields, textOf, toOrFrom } from "../errors.ts";
import { PullIterator } from "../pull-iterator.ts";
import { type ConnectionState, nextSocketId, publishStateChange } from "../state.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import { addressesOf, localAddressOf, remoteAddressOf } from "./addresses-of.ts";
import type { ConnectionHandlers } from "./connection-handlers.ts";
import { type ConnectionOptions, type ConnectionOrigin, checkConnectionOptions } from "./connection-options.ts";
import type { Handshake } from "./handshake.ts";
import { Linger } from "./linger.ts";
import { ReadSide } from "./read-side.ts";
import { resetStream } from "./reset-stream.ts";
import { runHandshake } from "./run-handshake.ts";
import { sentBytes } from "./sent-bytes.ts";
import { abandonStream, adoptStream, watchIdleTime, watchSendTime } from "./stream-owner.ts";
import { clientHandshake, type TlsClientOptions } from "./tls-client.ts";
import { TlsAcceptor, type TlsServerOptions } from "./tls-server.ts";
import type { WriteData } from "./write-data.ts";
import { WriteSide } from "./write-side.ts";

/** What {@link Connection.detach} gives away. */
export interface DetachedSocket {
  readonly socket: Duplex;
  /** What had arrived and was not read. */
  readonly unread: Uint8Array;
}

/** How {@link Connection.startTls} speaks TLS: as the client, or with `isServer` as the server. */
export type StartTlsOptions =
  | (TlsClientOptions & WaitOptions & { readonly isServer?: false | undefined })
  | (TlsServerOptions & WaitOptions & { readonly isServer: true });

/** For texts: `Cannot read from 127.0.0.1:8080`. */
const PREPOSITIONS: ReadonlyMap<string, string> = new Map([
  ["read", "from"],
  ["write", "to"],
  ["flush", "to"],
]);

/** How errors of a handshake begin, and what they call it. */
interface SecureText {
  readonly action: string;
  readonly operation: string;
}

/**
 * One end of a byte stream: TCP, a Unix socket, TLS.
 *
 * It is read in one of two ways: by pulling (`read`, `readExactly`, `readUntil`, `for await`), one reader at a time; or
 * by events (`handle`). Until either is begun nothing is read from the socket and the peer is slowed down by the kernel.
 *
 * Every waiting method takes `signal` and `timeoutMs`. A read that is aborted or times out loses no byte and leaves the
 * connection open. A write that is aborted had not begun and is withdrawn.
 *
 * No event of the underlying socket can end the process.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, (connection) => connection.write("\0\x05hello bye\n"));
 * await using connection = await connect(server.address);
 * const [high = 0, low = 0] = await connection.readExactly(2, { timeoutMs: 5_000 });
 * assert.equal(String(await connection.readExactly(high * 256 + low)), "hello");
 * assert.equal(String(await connection.readUntil("\n", { bytesMax: 80 })), " bye\n");
 * assert.equal(await connection.read(), null);
 * ```
 */
export class Connection implements AsyncDisposable {
  readonly #id: number = nextSocketId();
  #stream: Duplex;
  readonly #options: ConnectionOptions;
  /** Made when something is read by pulling. */
  #pulled: ReadSide | undefined;
  readonly #writeSide: WriteSide;
  /** Made when the connection is closed. */
  #linger: Linger | undefined;
  /** Made when somebody asks. */
  #closed: PromiseWithResolvers<void> | undefined;
  #state: ConnectionState = "created";
  #handlers: ConnectionHandlers | undefined;
  /** One object for all connections of a server; addresses that it does not have are the stream's to tell. */
  #origin: ConnectionOrigin;
  #error: SocketError | undefined;
  #isClosing = false;
  #isDetached = false;
  /** Whether chunks are wanted from the stream. */
  #isFlowing = false;
  /** Set while a TLS handshake has the stream. `ends` says whether our side finishes after it. */
  #securing: { readonly wait: Wait<void>; ends: boolean } | undefined;
  #idleTimeoutMs = 0;

  /** For the toolkit and its tests; others call {@link connect}, {@link listen} or {@link serve}. */
  constructor(stream: Duplex, options: ConnectionOptions = {}, origin: ConnectionOrigin = {}) {
    checkConnectionOptions(options);
    this.#stream = stream;
    this.#options = options;
    this.#writeSide = new WriteSide(stream, this, options);
    this.#origin = origin;
    adoptStream(stream, this);
    watchSendTime(stream, this.#sendTimeoutMs);
  }

  /**
   * Resolves when the connection is gone, in peace or not. Never rejects. That the peer has left is noticed by reading or
   * writing: where nobody does either, a connection stays.
   */
  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#state === "closed") this.#closed.resolve();
    }
    return this.#closed.promise;
  }

  /** Where it is in its life. Each change is published too; see {@link STATE_CHANNELS}. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** This end's address, once there is one. */
  get local(): Address | undefined {
    return this.#origin.local ?? localAddressOf(this.#stream);
  }

  /** The peer's address. */
  get remote(): Address | undefined {
    return this.#origin.remote ?? remoteAddressOf(this.#stream);
  }

  /** The peer's certificate, over TLS and where it showed one. */
  get peerCertificate(): X509Certificate | undefined {
    return (this.#stream as Partial<TLSSocket>).getPeerX509Certificate?.();
  }

  /** The protocol agreed on (ALPN), over TLS and where there is one. */
  get alpn(): string | undefined {
    return (this.#stream as Partial<TLSSocket>).alpnProtocol || undefined;
  }

  /** Bytes accepted and not yet given to the kernel. */
  get bufferedBytes(): number {
    return this.#writeSide.bufferedBytes;
  }

  /** Whether a write would be accepted at once. */
  get canWrite(): boolean {
    return this.#writeSide.canWrite;
  }

  /** Bytes that arrived and were not read yet. */
  get unreadBytes(): number {
    return this.#pulled?.bufferedBytes ?? 0;
  }

  /**
   * Reads what is there, or waits for some: at least one byte, or `null` when the peer finished.
   *
   * @throws {SocketError} `busy` while another read waits; `timeout`; `closed` after `close()`; `reset` and others when
   * the connection broke.
   */
  read(options?: WaitOptions): Promise<Uint8Array | null> {
    return this.#pull() ?? this.#readSide.read(options);
  }

  /**
   * Reads exactly `length` bytes, however many that are: check a length that a peer sent before waiting for it.
   *
   * @throws {SocketError} `end-of-stream` with `expected` and `partial` when the peer finished before; as {@link read}.
   */
  readExactly(length: number, options?: WaitOptions): Promise<Uint8Array> {
    return this.#pull() ?? this.#readSide.readExactly(length, options);
  }

  /**
   * Reads up to and including a delimiter: bytes, or text as UTF-8.
   *
   * @throws {SocketError} `limit` when it does not end within `bytesMax` bytes (default 65536): the bytes stay, to be
   * read in another way; `end-of-stream` with `partial`; as {@link read}.
   */
  readUntil(
    delimiter: Uint8Array | string,
    options?: WaitOptions & { readonly bytesMax?: number | undefined },
  ): Promise<Uint8Array> {
    const bytes = typeof delimiter === "string" ? Buffer.from(delimiter) : delimiter;
    return this.#pull() ?? this.#readSide.readUntil(bytes, options?.bytesMax ?? 65_536, options);
  }

  /**
   * Reads chunk by chunk until the peer finishes, each wait with these options. Leaving the loop early leaves the
   * connection open; so does a wait that times out or is aborted, which loses nothing.
   */
  chunks(options?: WaitOptions): AsyncGenerator<Uint8Array, void, void> {
    return new PullIterator(() => this.#pull() ?? this.#readSide.next(options));
  }

  /** {@link chunks} without options. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return this.chunks();
  }

  /** Puts bytes in front of what is read next; with handlers, `data` gets them at once. They are not copied. */
  unread(bytes: Uint8Array): void {
    if (this.#handlers === undefined) this.#readSide.unread(bytes);
    else this.received(bytes);
  }

  /**
   * Reads by events from now on; what is stored is delivered first, and an end or a break that has passed.
   * Calling it again changes the handlers.
   *
   * @throws {SocketError} `busy` while a read waits, or frames that a {@link Framed} has decoded wait to be read; `closed`
   * after `close()`.
   */
  handle(handlers: ConnectionHandlers): void {
    if (this.#isClosing || this.#isDetached) throw this.#closedError("handle");
    if (this.#pulled?.isReading) {
      throw new SocketError("busy", `Cannot handle the connection${toOrFrom("with", this.remote)}: a read is waiting`, {
        operation: "handle",
        ...this.facts(),
      });
    }
    const left = this.#handlers?.leave?.("handle the connection", undefined);
    const stored = left ?? this.#pulled?.takeAll();
    // Before what is stored, so that its handler can pause.
    if (this.#handlers === undefined || left !== undefined) this.flow(true);
    this.#handlers = handlers;
    if (stored !== undefined && stored.length > 0) this.received(stored);
    if (this.#stream.readableEnded) this.ended();
    if (this.#state === "closed") this.#tellClosed();
  }

  /** Whether the connection is read by handlers. */
  get isHandled(): boolean {
    return this.#handlers !== undefined;
  }

  /** Stops the `data` events; the kernel then slows the peer down. Who reads by pulling has no need of it. */
  pause(): void {
    if (this.#isPushing) this.flow(false);
  }

  /** Lets the `data` events go on. */
  resume(): void {
    if (this.#isPushing) this.flow(true);
  }

  /**
   * Writes in order; resolves when the data is accepted, which is at once below the high-water mark. Accepted is not
   * received: the kernel, the network and the peer come after. Bytes are not copied: leave them as they are until
   * {@link flush} has resolved.
   *
   * @throws {SocketError} `timeout`, with the data withdrawn; `closed` after `closeWrite()` or `close()`; `reset`.
   * @throws {TypeError} as {@link send}.
   */
  write(data: WriteData, options?: WaitOptions): Promise<void> {
    return this.#writeSide.write(data, options);
  }

  /**
   * Queues at once, whatever the state of the connection. False when the buffer is above its mark (`drain` tells when to go
   * on; what is sent all the same is stored all the same) or when the connection cannot be written any more (`close` tells
   * why). What is queued in one tick leaves in one write; only where the chunk before was answered by one small write, the
   * first one of the next answer leaves by itself, at once.
   *
   * @throws {TypeError} when the data is neither bytes nor text, nor a list of them; nothing of it is queued then.
   */
  send(data: WriteData): boolean {
    return this.#writeSide.send(data);
  }

  /**
   * Waits until the kernel has everything written so far, also after `closeWrite()` or `close()`; only an answer of the
   * peer says that it arrived.
   *
   * @throws {SocketError} `timeout`; `closed` when the connection is gone; `reset` and others when it broke before.
   */
  flush(options?: WaitOptions): Promise<void> {
    return this.#writeSide.flush(options);
  }

  /**
   * Ends waiting for reads so many milliseconds from now: of the read that waits then, and of all that come until the
   * deadline is set again. They reject with `timeout` and lose nothing. 0 is past already, and wins over stored data;
   * `null` (the default) is never. For reads by pulling; one timer, however many reads.
   *
   * @throws {RangeError} when the time is none.
   */
  setReadDeadline(ms: number | null): void {
    this.#readSide.setDeadline(ms);
  }

  /** As {@link setReadDeadline}, for `write` and `flush`: writes that wait are withdrawn. {@link send} never waits. */
  setWriteDeadline(ms: number | null): void {
    this.#writeSide.setDeadline(ms);
  }

  /** Finishes our side once all is flushed (a FIN); the peer may still send. Idempotent. */
  closeWrite(): void {
    if (this.#stream.writableEnded || this.#isDetached) return;
    const error = (operation: string): SocketError => this.#closedError(operation, "this side has finished");
    if (this.#securing !== undefined) {
      this.#securing.ends = true;
      this.#writeSide.endHeld(error);
      return;
    }
    this.#writeSide.end(error);
    this.#stream.end();
    if (this.#state === "established") this.#moveTo("half-closed-local", "this side finished");
    else if (this.#state === "half-closed-remote") this.#moveTo("closing", "this side finished");
  }

  /**
   * Flushes, finishes our side, reads and discards at most 1 MiB until the peer finishes too, and is gone after
   * `lingerMs` without progress at the latest. Reads and writes that wait reject with `closed`. Idempotent.
   *
   * It never rejects. Where the peer takes too long the connection is reset and what was not sent is lost: the `close`
   * handler gets a `timeout` error then. Who must know that all has left awaits {@link flush} with a `timeoutMs` first.
   */
  close(): Promise<void> {
    if (!this.#isClosing && this.#state !== "closed" && !this.#isDetached) {
      this.#isClosing = true;
      const error = (operation: string): SocketError => this.#closedError(operation);
      this.#failReads();
      this.#moveTo("closing", "closed by this side");
      this.#writeSide.end(error);
      if (this.#securing !== undefined) this.#break();
      else if (this.#stream.readableEnded && this.#stream.writableFinished) this.#stream.destroy();
      else {
        this.#stream.end();
        this.#stream.resume();
        this.#linger ??= this.#newLinger();
        this.#linger.start();
      }
    }
    return this.closed;
  }

  /** Breaks the connection at once: TCP sends RST, and what was not sent is lost. Idempotent. */
  reset(): void {
    if (this.#state === "closed" || this.#isDetached) return;
    this.#isClosing = true;
    this.#moveTo("closing", "reset by this side");
    this.#break();
    this.#failReads();
  }

  /**
   * Gives the Node socket away, paused, with what was not read; the connection counts as closed from then on. Of its
   * options only `sendTimeoutMs` goes on to hold for the socket.
   *
   * @throws {SocketError} `closed` when there is nothing to give any more; `busy` when a {@link Framed} has decoded frames
   * that were not read.
   */
  detach(): DetachedSocket {
    if (this.#isClosing || this.#isDetached || this.#securing !== undefined || this.#stream.destroyed) {
      throw this.#closedError("detach");
    }
    const left = this.#handlers?.leave?.("detach the connection", () => this.#closedError("read"));
    this.#isDetached = true;
    const stream = this.#stream;
    abandonStream(stream);
    const unread = left ?? this.#readSide.takeAll();
    this.#finish("detached");
    return { socket: stream, unread };
  }

  /**
   * Goes on in TLS on the same connection, as STARTTLS and its like do: as the client, or with `isServer` as the server.
   * What was written before leaves in plain text; what is written from now on waits for the handshake and leaves
   * encrypted. Resolves when the handshake is done; `alpn` and `peerCertificate` then tell about it.
   *
   * Call it in the turn in which the last plain bytes were written or read, so that nothing of the handshake is read as
   * plain text. The client asks for the name that {@link connect} was given, unless `servername` says otherwise.
   *
   * A handshake that fails, times out or is aborted breaks the connection: there is no way back to plain text. Without
   * `timeoutMs` it may take the server's `idleTimeoutMs`, or for ever where there is none.
   *
   * @throws {TypeError} as the client, when neither the host nor a `servername` is known.
   * @throws {SocketError} `malformed` when there are unread bytes, which nothing protected (the connection stays as it
   * is: read them, or reset it), also those that a {@link Framed} holds, which is to be opened with `framesMax: 1` then;
   * `busy` while a read or another handshake waits; `tls`, `reset`, `timeout`; `closed`.
   *
   * @example
   * ```ts
   * import { connect, serve } from "@landline/sockets";
   * import assert from "node:assert/strict";
   *
   * // A server that knows no STARTTLS.
   * await using server = await serve({ port: 0 }, async (connection) => {
   *   await connection.readUntil("\n");
   *   await connection.write("no\n");
   * });
   * await using connection = await connect(server.address);
   * await connection.write("STARTTLS\n");
   * const answer = String(await connection.readUntil("\n"));
   * if (answer === "ok\n") await connection.startTls({ timeoutMs: 10_000 });
   * assert.equal(answer, "no\n");
   * ```
   */
  async startTls(options: StartTlsOptions = {}): Promise<void> {
    const { signal, timeoutMs = this.#idleTimeoutMs || undefined, isServer, ...tls } = options;
    const handshake = isServer ? new TlsAcceptor(tls).handshake : clientHandshake(this.#origin.host, tls);
    const text = { action: `Cannot start TLS${toOrFrom("with", this.remote)}`, operation: "secure" };
    await this.secure(handshake, text, { signal, timeoutMs });
  }

  /** Keeps the process alive while the connection is read or has something to send (the default). */
  ref(): void {
    (this.#stream as Partial<Socket>).ref?.();
  }

  /** Lets the process end although the connection is open. */
  unref(): void {
    (this.#stream as Partial<Socket>).unref?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal The next step of the connection's life, as {@link connect} and the listeners see it. */
  opened(state: "connecting" | "established", local?: Address): void {
    if (local !== undefined) this.#origin = { ...this.#origin, local };
    this.#moveTo(state, undefined);
  }

  /** @internal Hands the stream to a handshake and goes on with what that makes of it. */
  async secure(handshake: Handshake, { action, operation }: SecureText, options: WaitOptions): Promise<void> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    this.#checkPlain(action);
    const below = this.#stream as Socket;
    const facts = (): SocketErrorFields => ({ operation, ...this.facts() });
    const wait = new Wait<void>(
      options,
      () => action,
      () => undefined,
      facts,
    );
    const securing = { wait, ends: false };
    this.#securing = securing;
    this.#writeSide.hold();
    abandonStream(below);
    try {
      runHandshake(below, handshake, { action, facts }, wait, (secured) => {
        this.#securing = undefined;
        this.#origin = { ...this.#origin, ...addressesOf(this), below };
        this.#stream = secured;
        adoptStream(secured, this);
        if (this.#idleTimeoutMs > 0) watchIdleTime(secured, this.#idleTimeoutMs);
        watchSendTime(secured, this.#sendTimeoutMs);
        // Before the handlers are told of room for writing: they may give the stream away.
        this.flow(this.#isFlowing);
        this.#writeSide.release(secured);
        if (securing.ends) this.closeWrite();
      });
      await wait.promise;
    } catch (error) {
      this.#error ??= fromNodeError(error, action, facts());
      setImmediate(() => (this.#isClosing ? resetStream(below) : below.destroy()));
      this.#finish(this.#error.message);
      throw error;
    }
  }

  /** @internal {@link handle} for a connection that was just accepted: calls `open` too. */
  handleOpen(handlers: ConnectionHandlers): void {
    this.handle(handlers);
    this.#run("open", handlers, undefined);
  }

  /**
   * @internal Undoes {@link handle}: reads by pulling again, first the bytes that `take` gives.
   *
   * @throws {SocketError} `closed` after `close()`, `reset()` or `detach()`; what `take` throws.
   */
  handBack(take: () => Uint8Array): void {
    if (this.#isClosing || this.#isDetached) throw this.#closedError("release");
    const unread = take();
    this.#handlers = undefined;
    this.flow(false);
    this.#readSide.pause();
    if (unread.length > 0) this.#readSide.unread(unread);
  }

  /** @internal Closes the connection with a `timeout` error when nothing moved for this long; 0 is never. */
  closeWhenIdle(idleTimeoutMs: number): void {
    this.#idleTimeoutMs = idleTimeoutMs;
    watchIdleTime(this.#stream, idleTimeoutMs);
  }

  /** @internal Waits no longer than this for the peer's end, now or when it is closed. */
  shortenLinger(lingerMs: number): void {
    this.#linger ??= this.#newLinger();
    this.#linger.shorten(lingerMs);
  }

  /** @internal Whether the stream gives chunks, now or when a handshake has given it back. */
  flow(isFlowing: boolean): void {
    this.#isFlowing = isFlowing;
    if (this.#securing !== undefined) return;
    if (isFlowing) this.#stream.resume();
    else this.#stream.pause();
  }

  /** @internal There is room for writing again. */
  drained(): void {
    if (this.#handlers !== undefined && !this.#isClosing) this.#run("drain", this.#handlers, undefined);
  }

  /** @internal The addresses and byte counts, for errors. */
  facts(): SocketErrorFields {
    const { bytesRead = 0, bytesWritten = 0 } = this.#stream as Partial<Socket>;
    return {
      bytesRead,
      bytesWritten,
      ...addressesOf(this),
    };
  }

  /** @internal Rises with every byte that leaves. */
  get sentBytes(): number {
    return sentBytes(this.#stream);
  }

  /** @internal Whether everything was written, our end too; or somebody else has the stream. */
  get hasFinished(): boolean {
    return this.#stream.writableFinished || this.#isDetached;
  }

  /** @internal Ends it now; what is cut off must not look like an end to the peer. */
  destroy(): void {
    const unsentBytes = this.bufferedBytes;
    if (unsentBytes > 0) {
      const text = `Connection${toOrFrom("with", this.remote)} closed: ${unsentBytes} bytes could not be sent`;
      this.#error ??= new SocketError("timeout", text, { operation: "close", ...this.facts() });
    }
    if (unsentBytes > 0 || this.#securing !== undefined) this.#break();
    else this.#stream.destroy();
  }

  /** @internal Breaks the connection with this error. */
  fail(error: SocketError): void {
    this.#error ??= error;
    this.destroy();
  }

  /** @internal Bytes came. */
  received(chunk: Uint8Array): void {
    if (this.#isClosing) {
      this.#linger?.discard(chunk);
      return;
    }
    this.#writeSide.arrived();
    if (this.#handlers === undefined) {
      this.#readSide.push(chunk);
    } else {
      this.#run("data", this.#handlers, chunk);
    }
  }

  /** @internal The peer finished. */
  ended(): void {
    if (this.#error !== undefined) return;
    if (this.#state === "established") this.#moveTo("half-closed-remote", "the peer finished");
    else if (this.#state === "half-closed-local") this.#moveTo("closing", "the peer finished");
    this.#pulled?.end();
    if (this.#isClosing || this.#handlers === undefined) return;
    if (this.#handlers.end === undefined) this.closeWrite();
    else this.#run("end", this.#handlers, undefined);
  }

  /** @internal It broke. TLS tells of an alert and then ends as if in peace; nobody must take that for an end. */
  failed(cause: Error): void {
    const error = fromNodeError(cause, `Connection${toOrFrom("with", this.remote)} broke`, this.facts());
    this.#error ??= error;
    this.#pulled?.fail(() => this.#error ?? error, !this.#isClosing);
    this.#writeSide.fail(() => this.#error ?? error);
    this.#stream.destroy();
  }

  /** @internal The stream is gone. */
  gone(): void {
    this.#finish(this.#error?.message);
  }

  /** @internal Nothing moved for the idle time. */
  idled(): void {
    if (this.#isClosing) {
      this.destroy();
      return;
    }
    const text = `Connection${toOrFrom("with", this.remote)} timed out: nothing moved for ${this.#idleTimeoutMs} ms`;
    this.fail(new SocketError("timeout", text, { operation: "idle", ...this.facts() }));
  }

  /** @internal Bytes wait, and none has left for the send timeout. */
  stalled(): void {
    const text = `Connection${toOrFrom("with", this.remote)} timed out: none of ${this.bufferedBytes} waiting bytes left for ${this.#sendTimeoutMs} ms`;
    this.fail(new SocketError("timeout", text, { operation: "send", ...this.facts() }));
  }

  /** @throws {SocketError} when a handshake cannot begin here and now. */
  #checkPlain(action: string): void {
    if (this.#isClosing || this.#isDetached || this.#stream.readableEnded || this.#stream.writableEnded) {
      throw this.#closedError("secure");
    }
    const facts = { operation: "secure", ...this.facts() };
    // Node can do that, but not safely: what comes at the wrong moment ends the process.
    if (this.#origin.below !== undefined) throw new SocketError("tls", `${action}: it speaks TLS already`, facts);
    if (this.#securing !== undefined) throw new SocketError("busy", `${action}: another handshake is under way`, facts);
    if (this.#pulled?.isReading) throw new SocketError("busy", `${action}: a read is waiting`, facts);
    const unreadBytes = this.unreadBytes + (this.#handlers?.unreadBytes?.(this) ?? 0);
    if (unreadBytes > 0) throw new SocketError("malformed", `${action}: ${unreadBytes} unread bytes before it`, facts);
  }

  /** Reads that wait, and all that come, reject with `closed`. */
  #failReads(): void {
    this.#pulled?.fail((operation) => this.#closedError(operation), false);
    this.#handlers?.closing?.(() => this.#closedError("read"));
  }

  /** Breaks the stream, or the handshake that has it. */
  #break(): void {
    if (this.#securing === undefined) resetStream(this.#stream, this.#origin.below);
    else this.#securing.wait.reject(this.#closedError("secure"));
  }

  get #readSide(): ReadSide {
    if (this.#pulled === undefined) {
      this.#pulled = new ReadSide(this, this.#options.readHighWaterMark ?? 65_536);
      // What has happened before.
      if (this.#stream.readableEnded) this.#pulled.end();
      if (this.#isClosing || this.#state === "closed") {
        this.#pulled.fail(
          (operation) => (this.#isClosing ? undefined : this.#error) ?? this.#closedError(operation),
          false,
        );
      }
    }
    return this.#pulled;
  }

  get #sendTimeoutMs(): number {
    return this.#options.sendTimeoutMs ?? 0;
  }

  #newLinger(): Linger {
    return new Linger(this, this.#options.lingerMs ?? 2_000);
  }

  get #isPushing(): boolean {
    return this.#handlers !== undefined && !this.#isClosing && !this.#isDetached;
  }

  #pull(): Promise<never> | undefined {
    if (this.#handlers === undefined) return undefined;
    return Promise.reject(
      new SocketError("busy", `Cannot read${toOrFrom("from", this.remote)}: the connection is read by its handlers`, {
        operation: "read",
        ...this.facts(),
      }),
    );
  }

  /** Calls a handler; what it throws, now or later, breaks this connection alone. */
  #run(name: "open" | "data" | "end" | "drain", handlers: ConnectionHandlers, chunk: Uint8Array | undefined): void {
    try {
      this.#watch(name, handlers[name]?.(this, chunk as Uint8Array));
    } catch (error) {
      this.#handlerFailed(name, error);
    }
  }

  /** A handler may be an async function, although nobody waits for it. */
  #watch(name: string, result: unknown): void {
    if (result instanceof Promise) result.catch((error: unknown) => this.#handlerFailed(name, error));
  }

  #handlerFailed(name: string, cause: unknown): void {
    const remote = toOrFrom("of", this.remote);
    const error = new SocketError("system", `The ${name} handler${remote} failed: ${textOf(cause)}`, {
      operation: name,
      cause,
    });
    this.#origin.keeper?.report(error);
    this.fail(error);
  }

  #finish(reason: string | undefined): void {
    if (this.#state === "closed") return;
    this.#linger?.stop();
    this.#moveTo("closed", reason);
    const error = (operation: string): SocketError => this.#error ?? this.#closedError(operation);
    // After a peer's reset, what had arrived can still be read.
    this.#pulled?.fail(error, !this.#isClosing);
    this.#writeSide.fail(error);
    this.#origin.keeper?.gone(this);
    if (!this.#isDetached) this.#tellClosed();
    this.#closed?.resolve();
  }

  #tellClosed(): void {
    // What else goes wrong after our close is of no interest any more.
    const error = this.#isClosing && this.#error?.operation !== "close" ? undefined : this.#error;
    try {
      this.#watch("close", this.#handlers?.close?.(this, error));
    } catch (failure) {
      this.#handlerFailed("close", failure);
    }
  }

  #closedError(operation: string, why = "the connection is closed"): SocketError {
    const where = toOrFrom(PREPOSITIONS.get(operation) ?? "with", this.remote);
    return new SocketError("closed", `Cannot ${operation}${where}: ${why}`, {
      operation,
      ...this.facts(),
    });
  }

  #moveTo(to: ConnectionState, reason: string | undefined): void {
    const from = this.#state;
    if (from === to || from === "closed") return;
    this.#state = to;
    publishStateChange<ConnectionState>("connection", () => ({
      id: this.#id,
      from,
      to,
      at: Date.now(),
      local: this.local,
      remote: this.remote,
      reason,
    }));
  }
}

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

/** The result of {@link Connection.detach}. */
export interface DetachedSocket {
  readonly socket: Duplex;
  /** Bytes that arrived and were not read. */
  readonly unread: Uint8Array;
}

/** Options for {@link Connection.startTls}: those of a TLS client, or with `isServer: true` those of a TLS server. */
export type StartTlsOptions =
  | (TlsClientOptions & WaitOptions & { readonly isServer?: false | undefined })
  | (TlsServerOptions & WaitOptions & { readonly isServer: true });

/** For error texts such as `Cannot read from 127.0.0.1:8080`. */
const PREPOSITIONS: ReadonlyMap<string, string> = new Map([
  ["read", "from"],
  ["write", "to"],
  ["flush", "to"],
]);

/** The start of the error text of a handshake, and the `operation` of its errors. */
interface SecureText {
  readonly action: string;
  readonly operation: string;
}

/**
 * One end of a byte stream: TCP, a Unix socket or TLS.
 *
 * Read it in one of two ways. Pull with `read`, `readExactly`, `readUntil` or `for await`, one read at a time; or
 * receive events with `handle`. Before the first read or `handle` nothing is read from the socket, so the kernel slows
 * the peer down.
 *
 * Every method that waits takes `signal` and `timeoutMs`. A read that is aborted or times out loses no bytes and leaves
 * the connection open. A write that is aborted or times out while it waits is withdrawn: none of its bytes is sent.
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
  /** Created by the first pulling read. */
  #pulled: ReadSide | undefined;
  readonly #writeSide: WriteSide;
  /** Created when the connection is closed. */
  #linger: Linger | undefined;
  /** Created by the first use of `closed`. */
  #closed: PromiseWithResolvers<void> | undefined;
  #state: ConnectionState = "created";
  #handlers: ConnectionHandlers | undefined;
  /** Shared by all connections of a server. Addresses that it lacks are read from the stream. */
  #origin: ConnectionOrigin;
  #error: SocketError | undefined;
  #isClosing = false;
  #isDetached = false;
  /** Whether the stream shall deliver chunks. */
  #isFlowing = false;
  /** Set during a TLS handshake. `ends`: finish our side after it. */
  #securing: { readonly wait: Wait<void>; ends: boolean } | undefined;
  #idleTimeoutMs = 0;

  /** For the toolkit and its tests. Applications call {@link connect}, {@link listen} or {@link serve}. */
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
   * Resolves when the connection is closed, normally or by an error. Never rejects. Only reading or writing detects
   * that a peer has left: an unused connection stays open.
   */
  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#state === "closed") this.#closed.resolve();
    }
    return this.#closed.promise;
  }

  /** The current state. Each change is also published on a diagnostics channel: see {@link STATE_CHANNELS}. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** This end's address. `undefined` before it is connected, and for Unix sockets that connected. */
  get local(): Address | undefined {
    return this.#origin.local ?? localAddressOf(this.#stream);
  }

  /** The peer's address. */
  get remote(): Address | undefined {
    return this.#origin.remote ?? remoteAddressOf(this.#stream);
  }

  /** The peer's certificate. `undefined` without TLS, or when the peer sent none. */
  get peerCertificate(): X509Certificate | undefined {
    return (this.#stream as Partial<TLSSocket>).getPeerX509Certificate?.();
  }

  /** The negotiated protocol (ALPN). `undefined` without TLS, or when none was negotiated. */
  get alpn(): string | undefined {
    return (this.#stream as Partial<TLSSocket>).alpnProtocol || undefined;
  }

  /** Bytes accepted for sending that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#writeSide.bufferedBytes;
  }

  /** Whether a write would be accepted without waiting. */
  get canWrite(): boolean {
    return this.#writeSide.canWrite;
  }

  /** Bytes that arrived and are not read yet. */
  get unreadBytes(): number {
    return this.#pulled?.bufferedBytes ?? 0;
  }

  /**
   * Returns the bytes that have arrived, or waits for some. Resolves to at least one byte, or to `null` when the peer
   * has finished.
   *
   * @throws {SocketError} `busy` while another read waits, or while handlers read the connection.
   * @throws {SocketError} `timeout` when `timeoutMs` or the read deadline has passed.
   * @throws {SocketError} `closed` after `close()`.
   * @throws {SocketError} `reset` or another code when the connection broke. Bytes that arrived before are returned
   * first.
   */
  read(options?: WaitOptions): Promise<Uint8Array | null> {
    return this.#pull() ?? this.#readSide.read(options);
  }

  /**
   * Reads exactly `length` bytes. There is no upper limit: check a length that the peer sent before you pass it.
   *
   * @throws {SocketError} `end-of-stream` with `expected` and `partial` when the peer finished earlier.
   * @throws {SocketError} as {@link read}.
   * @throws {RangeError} when `length` is negative or not a whole number.
   */
  readExactly(length: number, options?: WaitOptions): Promise<Uint8Array> {
    return this.#pull() ?? this.#readSide.readExactly(length, options);
  }

  /**
   * Reads up to and including a delimiter: bytes, or text as UTF-8.
   *
   * @throws {SocketError} `limit` when the delimiter does not end within `bytesMax` bytes (default 65536). The bytes
   * stay unread and can be read in another way.
   * @throws {SocketError} `end-of-stream` with `partial` when the peer finished earlier.
   * @throws {SocketError} as {@link read}.
   * @throws {RangeError} when the delimiter is empty.
   */
  readUntil(
    delimiter: Uint8Array | string,
    options?: WaitOptions & { readonly bytesMax?: number | undefined },
  ): Promise<Uint8Array> {
    const bytes = typeof delimiter === "string" ? Buffer.from(delimiter) : delimiter;
    return this.#pull() ?? this.#readSide.readUntil(bytes, options?.bytesMax ?? 65_536, options);
  }

  /**
   * Yields chunks until the peer finishes. `options` apply to the wait for each chunk. Leaving the loop leaves the
   * connection open. A wait that times out or is aborted also leaves it open and loses no bytes.
   */
  chunks(options?: WaitOptions): AsyncGenerator<Uint8Array, void, void> {
    return new PullIterator(() => this.#pull() ?? this.#readSide.next(options));
  }

  /** {@link chunks} without options. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return this.chunks();
  }

  /**
   * Puts bytes back in front of the unread bytes. With handlers, `data` receives them at once. The bytes are not
   * copied.
   */
  unread(bytes: Uint8Array): void {
    if (this.#handlers === undefined) this.#readSide.unread(bytes);
    else this.received(bytes);
  }

  /**
   * Switches to reading by events. Bytes that are already buffered are delivered first; an end or a close that already
   * happened is delivered too. A later call replaces the handlers.
   *
   * @throws {SocketError} `busy` while a read waits, or while a {@link Framed} holds decoded frames that were not read.
   * @throws {SocketError} `closed` after `close()` or `detach()`.
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
    // Resume before the buffered bytes are delivered, so that the handler can pause.
    if (this.#handlers === undefined || left !== undefined) this.flow(true);
    this.#handlers = handlers;
    if (stored !== undefined && stored.length > 0) this.received(stored);
    if (this.#stream.readableEnded) this.ended();
    if (this.#state === "closed") this.#tellClosed();
  }

  /** Whether handlers read the connection. */
  get isHandled(): boolean {
    return this.#handlers !== undefined;
  }

  /** Stops the `data` events, so that the kernel slows the peer down. Does nothing for pulling reads. */
  pause(): void {
    if (this.#isPushing) this.flow(false);
  }

  /** Continues the `data` events. */
  resume(): void {
    if (this.#isPushing) this.flow(true);
  }

  /**
   * Queues data in order and resolves when it is accepted: at once below the high-water mark, otherwise when there is
   * room. Accepted does not mean received: the bytes still pass the kernel, the network and the peer. Bytes are not
   * copied: do not change them before {@link flush} resolves.
   *
   * @throws {SocketError} `timeout` when `timeoutMs` or the write deadline has passed; nothing of the data is sent.
   * @throws {SocketError} `closed` after `closeWrite()` or `close()`.
   * @throws {SocketError} `reset` or another code when the connection broke.
   * @throws {TypeError} when the data is not bytes, text or a list of them; nothing of it is queued.
   */
  write(data: WriteData, options?: WaitOptions): Promise<void> {
    return this.#writeSide.write(data, options);
  }

  /**
   * Queues data at once, even above the high-water mark, and never waits. Returns false when the buffer is above the
   * mark: stop sending until the `drain` handler is called. Also returns false, and drops the data, when the connection
   * can no longer be written: the `close` handler gets the reason.
   *
   * Data of one tick leaves in one write. Exception: when the previous chunk was answered with one small write, the
   * first write of the next answer leaves at once.
   *
   * @throws {TypeError} when the data is not bytes, text or a list of them; nothing of it is queued.
   */
  send(data: WriteData): boolean {
    return this.#writeSide.send(data);
  }

  /**
   * Waits until the kernel has taken everything written so far. Also works after `closeWrite()` and `close()`. Only an
   * answer from the peer proves that the data arrived.
   *
   * @throws {SocketError} `timeout` when `timeoutMs` or the write deadline has passed.
   * @throws {SocketError} `closed` when the connection is closed.
   * @throws {SocketError} `reset` or another code when the connection broke.
   */
  flush(options?: WaitOptions): Promise<void> {
    return this.#writeSide.flush(options);
  }

  /**
   * Sets a deadline for pulling reads, in milliseconds from now. After it, the pending read and every later read reject
   * with `timeout`, until you set it again. They lose no bytes. With 0 it has already passed, even when bytes are
   * buffered. `null` (the default) means no deadline. One timer serves any number of reads.
   *
   * @throws {RangeError} when the time is not 0 to 2^31 - 1, `Infinity` or `null`.
   */
  setReadDeadline(ms: number | null): void {
    this.#readSide.setDeadline(ms);
  }

  /**
   * As {@link setReadDeadline}, for `write` and `flush`. Waiting writes are withdrawn. {@link send} is not affected.
   *
   * @throws {RangeError} when the time is not 0 to 2^31 - 1, `Infinity` or `null`.
   */
  setWriteDeadline(ms: number | null): void {
    this.#writeSide.setDeadline(ms);
  }

  /**
   * Finishes our side (FIN) after everything accepted is flushed. Waiting writes reject with `closed`. The peer may
   * still send. Idempotent.
   */
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
   * Closes the connection. It flushes, finishes our side (FIN), and discards what the peer sends (at most 1 MiB) until
   * the peer finishes too. Without progress for `lingerMs`, the connection is destroyed. Pending reads and writes
   * reject with `closed`. Idempotent.
   *
   * Never rejects. If some bytes could not be sent, the connection is reset, they are lost, and the `close` handler
   * gets a `timeout` error. To be sure that all bytes left, await {@link flush} with a `timeoutMs` first.
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

  /** Breaks the connection at once: TCP sends RST. Bytes that are not sent are lost. Idempotent. */
  reset(): void {
    if (this.#state === "closed" || this.#isDetached) return;
    this.#isClosing = true;
    this.#moveTo("closing", "reset by this side");
    this.#break();
    this.#failReads();
  }

  /**
   * Gives the Node socket to the caller, paused, together with the unread bytes. The connection then counts as closed.
   * Of its options only `sendTimeoutMs` still applies to the socket. Pending reads and writes reject with `closed`.
   *
   * @throws {SocketError} `closed` when the connection is closed or detached, or a TLS handshake is running.
   * @throws {SocketError} `busy` while a {@link Framed} holds decoded frames that were not read.
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
   * Upgrades the connection to TLS, as STARTTLS does: as the client, or with `isServer` as the server. Data written
   * before the call leaves as plain text. Data written after it waits for the handshake and leaves encrypted. Resolves
   * when the handshake is complete; `alpn` and `peerCertificate` then describe it.
   *
   * Call it in the same turn in which you read or wrote the last plain bytes. Otherwise bytes of the handshake may be
   * read as plain text. The client verifies the name that {@link connect} was given, unless `servername` is set.
   *
   * A handshake that fails, times out or is aborted breaks the connection: there is no way back to plain text. Without
   * `timeoutMs` the server's `idleTimeoutMs` limits the handshake. Without both there is no limit.
   *
   * @throws {TypeError} when the client knows neither a host nor a `servername`.
   * @throws {SocketError} `malformed` when there are unread bytes, which were received without protection. The
   * connection does not change: read the bytes, or reset it. Bytes inside a {@link Framed} count too: open it with
   * `framesMax: 1` before STARTTLS.
   * @throws {SocketError} `busy` while a read or another handshake is running.
   * @throws {SocketError} `tls` when the handshake fails, a certificate is refused, or the connection already uses TLS.
   * @throws {SocketError} `reset` when the peer breaks the connection.
   * @throws {SocketError} `timeout` when `timeoutMs` has passed.
   * @throws {SocketError} `closed` when either side has finished or the connection is closed.
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

  /** Keeps the process alive while the connection is open (the default). */
  ref(): void {
    (this.#stream as Partial<Socket>).ref?.();
  }

  /** Lets the process exit while the connection is open. */
  unref(): void {
    (this.#stream as Partial<Socket>).unref?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Moves to the next state, for {@link connect} and the listeners. */
  opened(state: "connecting" | "established", local?: Address): void {
    if (local !== undefined) this.#origin = { ...this.#origin, local };
    this.#moveTo(state, undefined);
  }

  /** @internal Runs a TLS handshake over the stream and continues with the TLS stream. */
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
        // Before `release` calls the `drain` handler, which may detach the stream.
        this.flow(this.#isFlowing);
        this.#writeSide.release(secured);
        if (securing.ends) this.closeWrite();
      });
      await wait.promise;
    } catch (error) {
      this.#error ??= fromNodeError(error, action, facts());
      if (this.#isClosing) resetStream(below);
      else below.destroy();
      this.#finish(this.#error.message);
      throw error;
    }
  }

  /** @internal {@link handle} for an accepted connection: also calls `open`. */
  handleOpen(handlers: ConnectionHandlers): void {
    this.handle(handlers);
    this.#run("open", handlers, undefined);
  }

  /**
   * @internal Undoes {@link handle}: back to pulling reads, which begin with the bytes that `take` returns.
   *
   * @throws {SocketError} `closed` after `close()`, `reset()` or `detach()`.
   * @throws what `take` throws.
   */
  handBack(take: () => Uint8Array): void {
    if (this.#isClosing || this.#isDetached) throw this.#closedError("release");
    const unread = take();
    this.#handlers = undefined;
    this.flow(false);
    this.#readSide.pause();
    if (unread.length > 0) this.#readSide.unread(unread);
  }

  /** @internal Closes the connection with a `timeout` error after this many idle milliseconds; 0 for never. */
  closeWhenIdle(idleTimeoutMs: number): void {
    this.#idleTimeoutMs = idleTimeoutMs;
    watchIdleTime(this.#stream, idleTimeoutMs);
  }

  /** @internal Lowers the wait for the peer's FIN, before or after `close()`. */
  shortenLinger(lingerMs: number): void {
    this.#linger ??= this.#newLinger();
    this.#linger.shorten(lingerMs);
  }

  /** @internal Starts or stops the stream's chunks. During a handshake the setting applies after it. */
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

  /** @internal Addresses and byte counts, for errors. */
  facts(): SocketErrorFields {
    const { bytesRead = 0, bytesWritten = 0 } = this.#stream as Partial<Socket>;
    return {
      bytesRead,
      bytesWritten,
      ...addressesOf(this),
    };
  }

  /** @internal Number of bytes sent so far. */
  get sentBytes(): number {
    return sentBytes(this.#stream);
  }

  /** @internal Whether everything was written, FIN included, or the stream was detached. */
  get hasFinished(): boolean {
    return this.#stream.writableFinished || this.#isDetached;
  }

  /**
   * @internal Closes the connection now. Resets it when bytes are unsent, so that the peer does not take the cut for a
   * normal end.
   */
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

  /** @internal Bytes arrived. */
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

  /**
   * @internal The stream broke. After a TLS alert Node also emits a normal end, which must not reach the application.
   */
  failed(cause: Error): void {
    const error = fromNodeError(cause, `Connection${toOrFrom("with", this.remote)} broke`, this.facts());
    this.#error ??= error;
    this.#pulled?.fail(() => this.#error ?? error, !this.#isClosing);
    this.#writeSide.fail(() => this.#error ?? error);
    this.#stream.destroy();
  }

  /** @internal The stream is closed. */
  gone(): void {
    this.#finish(this.#error?.message);
  }

  /** @internal No byte was read or written for the idle time. */
  idled(): void {
    if (this.#isClosing) {
      this.destroy();
      return;
    }
    const text = `Connection${toOrFrom("with", this.remote)} timed out: idle for ${this.#idleTimeoutMs} ms`;
    this.fail(new SocketError("timeout", text, { operation: "idle", ...this.facts() }));
  }

  /** @internal Bytes are buffered, and none was sent for the send timeout. */
  stalled(): void {
    const text = `Connection${toOrFrom("with", this.remote)} timed out: none of ${this.bufferedBytes} buffered bytes was sent for ${this.#sendTimeoutMs} ms`;
    this.fail(new SocketError("timeout", text, { operation: "send", ...this.facts() }));
  }

  /** @throws {SocketError} when a handshake cannot start now. */
  #checkPlain(action: string): void {
    if (this.#isClosing || this.#isDetached || this.#stream.readableEnded || this.#stream.writableEnded) {
      throw this.#closedError("secure");
    }
    const facts = { operation: "secure", ...this.facts() };
    // Node allows TLS inside TLS, but data at the wrong moment crashes the process.
    if (this.#origin.below !== undefined)
      throw new SocketError("tls", `${action}: the connection already uses TLS`, facts);
    if (this.#securing !== undefined) throw new SocketError("busy", `${action}: another handshake is running`, facts);
    if (this.#pulled?.isReading) throw new SocketError("busy", `${action}: a read is waiting`, facts);
    const unreadBytes = this.unreadBytes + (this.#handlers?.unreadBytes?.(this) ?? 0);
    if (unreadBytes > 0) throw new SocketError("malformed", `${action}: ${unreadBytes} bytes are unread`, facts);
  }

  /** Rejects the pending read and all later ones with `closed`. */
  #failReads(): void {
    this.#pulled?.fail((operation) => this.#closedError(operation), false);
    this.#handlers?.closing?.(() => this.#closedError("read"));
  }

  /** Breaks the stream, or the handshake that owns it. */
  #break(): void {
    if (this.#securing === undefined) resetStream(this.#stream, this.#origin.below);
    else this.#securing.wait.reject(this.#closedError("secure"));
  }

  get #readSide(): ReadSide {
    if (this.#pulled === undefined) {
      this.#pulled = new ReadSide(this, this.#options.readHighWaterMark ?? 65_536);
      // Apply what happened before the first pulling read.
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

  /** Calls a handler. An error, now or from its promise, breaks only this connection. */
  #run(name: "open" | "data" | "end" | "drain", handlers: ConnectionHandlers, chunk: Uint8Array | undefined): void {
    try {
      this.#watch(name, handlers[name]?.(this, chunk as Uint8Array));
    } catch (error) {
      this.#handlerFailed(name, error);
    }
  }

  /** A handler may be an async function. Nobody awaits its promise, so its rejection is handled here. */
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
    // After a reset by the peer, bytes that arrived before can still be read.
    this.#pulled?.fail(error, !this.#isClosing);
    this.#writeSide.fail(error);
    this.#origin.keeper?.gone(this);
    if (!this.#isDetached) this.#tellClosed();
    this.#closed?.resolve();
  }

  #tellClosed(): void {
    // After our own `close()` only a failure of the close itself is reported.
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

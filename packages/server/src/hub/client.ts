import {
  type ChatLimits,
  type Command,
  type ConnectionRates,
  type Decision,
  decide,
  type Goodbye,
  newSession,
  type Refusal,
  type Session,
} from "../core/mod.ts";
import type { Answer } from "./events.ts";
import type { Link } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { Person } from "./person.ts";
import type { WireFormat, WireFormats } from "./wire-format.ts";

/** Bytes buffered for a client, past which its next request waits. The link calls `drained` when they have left. */
const ANSWER_BYTES_MAX = 65_536;
/** Requests and refusals answered in one turn of the event loop. Then other clients get a turn. */
const ANSWERS_PER_TURN = 64;

/** The hub's side of a client. */
export interface ClientOwner {
  readonly limits: ChatLimits;
  /** Counts the command against the client's rate limits. Returns a refusal if the client must wait. */
  checkRate(client: Client, decision: Decision): Refusal | undefined;
  /** Carries out a decision. Returns a promise if that is asynchronous. */
  carryOut(client: Client, command: Command, decision: Decision): Promise<void> | undefined;
  /** The client's outbox is full. */
  outboxFull(client: Client): void;
  /** The connection is gone and all its requests have ended. */
  departed(client: Client): Promise<void>;
  /** Returns the refusal for a failed request. */
  failed(error: unknown): Refusal;
}

/** See {@link Client}. */
export interface ClientOptions {
  readonly id: string;
  /** In milliseconds of the hub's clock. */
  readonly now: number;
  readonly rates: ConnectionRates | undefined;
}

/**
 * One connected client: its session, its outbox and its queue of requests. Answers leave in the order of the
 * requests. Chat messages to one room are pipelined. A message to another room, any other request and any refusal
 * wait until the pipelined messages are committed.
 */
export class Client {
  /** Unique within this server. */
  readonly id: string;
  /** The session's secret. Its holder can take over or share the session. Empty before `hello`. */
  secret = "";
  /** The number of the last attempt that took over the session. */
  attempt = 0;
  /** Replaced by another client's session when this client takes that one over. */
  session: Session = newSession();
  /** When the client last sent something, in milliseconds of the hub's clock. */
  heardAt: number;
  /** When the server sent the ping that the client has not answered yet. */
  pingedAt: number | undefined;
  readonly connectedAt: number;
  readonly link: Link;
  /** The client's rate limits. Absent if there are none. */
  readonly rates: ConnectionRates | undefined;
  readonly outbox: Outbox;
  readonly #owner: ClientOwner;
  readonly #formats: WireFormats;
  readonly #requests: (Command | Refusal)[] = [];
  /** Size, in UTF-16 units of JSON, of the requests queued since the queue was last empty. */
  #waitingBytes = 0;
  #inFlight = 0;
  /** The room of the messages in flight. */
  #inFlightRoom = "";
  #isBusy = false;
  #answers = 0;
  #isPaused = false;
  #isGone = false;
  #isFinishing = false;
  #onIdle: (() => void)[] = [];
  #departure: Promise<void> | undefined;

  constructor(owner: ClientOwner, link: Link, formats: WireFormats, { id, now, rates }: ClientOptions) {
    this.id = id;
    this.heardAt = now;
    this.connectedAt = now;
    this.rates = rates;
    this.link = link;
    this.outbox = new Outbox(link, owner.limits.outboxBytesMax, () => owner.outboxFull(this));
    this.#owner = owner;
    this.#formats = formats;
  }

  /** The wire format of the session's version. */
  get format(): WireFormat {
    return this.#formats[this.session.version];
  }

  /** The hub stores a {@link Person} in the session. */
  get person(): Person | undefined {
    return this.session.person as Person | undefined;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** After {@link gone}: resolves when the client has left its rooms and its name is free. */
  get departure(): Promise<void> | undefined {
    return this.#departure;
  }

  /** Takes a request from the gateway, or the refusal of an invalid one. */
  receive(request: Command | Refusal): void {
    if (this.#isGone || this.#isFinishing) return;
    this.#requests.push(request);
    this.#proceed();
    if (this.#requests.length === 0) return;
    this.#waitingBytes += JSON.stringify(request).length;
    this.#throttle();
  }

  answer(answer: Answer): void {
    const bytes = this.format.answer(answer);
    if (bytes !== undefined) this.outbox.send(bytes);
  }

  /** Sends the reason and closes the connection. */
  sayGoodbye(goodbye: Goodbye): void {
    this.outbox.close(this.format.answer({ type: "bye", ...goodbye }));
    this.link.close(goodbye);
  }

  /** Counts chat messages of this client that were committed or refused. */
  passed(messages: number): void {
    this.#inFlight -= messages;
    // Not now: a fan-out is under way, and the next request could start another one.
    if (this.#requests.length > 0 || this.#onIdle.length > 0) queueMicrotask(() => this.#proceed());
  }

  /** The link's buffered bytes have left. */
  drained(): void {
    if (this.#requests.length > 0) this.#proceed();
  }

  /** The client will send no more requests. Carries out the queued ones, then closes the connection. */
  finish(): void {
    void this.complete().then(() => {
      this.link.close({ reconnect: false, message: "" });
      this.gone();
    });
  }

  /**
   * Accepts no more requests. Resolves when the queued ones are carried out; their answers do not wait for the
   * reader.
   */
  async complete(): Promise<void> {
    this.#isFinishing = true;
    this.#proceed();
    await this.#idle();
  }

  /** The connection is gone. Waits for requests under way, then leaves the rooms. Idempotent. */
  gone(): void {
    if (this.#isGone) return;
    this.#end();
    this.#departure = this.#idle().then(() => this.#owner.departed(this));
  }

  /**
   * Stops without leaving the rooms: another connection takes over the session, or the server stops. Drops queued
   * requests. Resolves when no request is under way.
   */
  async retire(): Promise<void> {
    this.#end();
    await this.#idle();
  }

  #end(): void {
    this.#isGone = true;
    this.#requests.length = 0;
  }

  #proceed(): void {
    while (this.#requests.length > 0 && !this.#isBusy) {
      const request = this.#requests[0] as Command | Refusal;
      const decision = request.type === "refusal" ? request : decide(this.session, request, this.#owner.limits);
      if (!this.#isReady(decision)) break;
      const refusal = this.#owner.checkRate(this, decision);
      if (refusal !== undefined) {
        // Like every refusal, it waits for the messages in flight.
        this.#requests[0] = { ...refusal, id: request.id };
        continue;
      }
      this.#requests.shift();
      this.#carryOut(request, decision);
      if (!isEntry(decision)) this.#countAnswer();
    }
    this.#throttle();
    if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #isReady(decision: Decision): boolean {
    if (isEntry(decision)) {
      if (this.#inFlight === 0) return true;
      return decision.room.key === this.#inFlightRoom && this.#inFlight < this.#owner.limits.inFlightMax;
    }
    return this.#inFlight === 0 && (this.#isFinishing || this.link.bufferedBytes < ANSWER_BYTES_MAX);
  }

  #carryOut(request: Command | Refusal, decision: Decision): void {
    if (isEntry(decision)) {
      this.#inFlight += 1;
      this.#inFlightRoom = decision.room.key;
    }
    if (decision.type === "refusal") {
      this.answer({ ...decision, id: request.id });
      return;
    }
    const work = this.#owner.carryOut(this, request as Command, decision);
    if (work === undefined) return;
    this.#isBusy = true;
    void this.#finish(work, request.id);
  }

  /** Yields after a number of answers: one read can bring thousands of small requests. */
  #countAnswer(): void {
    this.#answers += 1;
    if (this.#answers < ANSWERS_PER_TURN) return;
    this.#answers = 0;
    if (this.#isBusy) return;
    this.#isBusy = true;
    setImmediate(() => {
      this.#isBusy = false;
      this.#proceed();
    });
  }

  async #finish(work: Promise<void>, id: string | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.outbox.release(undefined);
      this.answer({ ...this.#owner.failed(error), id });
    }
    // One asynchronous request per turn, so that a busy client does not delay the others.
    if (this.#requests.length > 0) await new Promise((resolve) => setImmediate(resolve));
    this.#isBusy = false;
    this.#proceed();
  }

  /** Backpressure: pauses the link while the queue is over its limits, and resumes it when the queue is empty. */
  #throttle(): void {
    if (this.#requests.length === 0) this.#waitingBytes = 0;
    if (this.#isGone) return;
    const { requestQueueMax, requestQueueBytesMax } = this.#owner.limits;
    const isFull = this.#requests.length > requestQueueMax || this.#waitingBytes > requestQueueBytesMax;
    if (!this.#isPaused && isFull) {
      this.#isPaused = true;
      this.link.pause();
    } else if (this.#isPaused && this.#requests.length === 0) {
      this.#isPaused = false;
      this.link.resume();
    }
  }

  #isIdle(): boolean {
    return this.#requests.length === 0 && !this.#isBusy && this.#inFlight === 0;
  }

  #idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }
}

/** Whether the decision becomes an entry of a room's log. */
function isEntry(decision: Decision): decision is Extract<Decision, { type: "append" | "set" }> {
  return decision.type === "append" || decision.type === "set";
}

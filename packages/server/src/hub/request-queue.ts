import {
  type ChatLimits,
  type Command,
  type Context,
  type Decision,
  decide,
  type Refusal,
  refuse,
} from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import { checkRate } from "./rates.ts";
import type { FormatChange } from "./wire-format.ts";

/** Bytes buffered for a connection, past which its next request waits. The link calls `drained` when they have left. */
const ANSWER_BYTES_MAX = 65_536;
/** Requests and refusals answered in one turn of the event loop. Then other connections get a turn. */
const ANSWERS_PER_TURN = 64;

/** How often a change of a room's state is decided, if others change the state meanwhile. */
const DECISIONS_MAX = 8;

/** What a dialect reads: a request, the refusal of an invalid one, or that the client changes its wire format. */
export type Incoming = Command | Refusal | FormatChange;

/** Carries out requests. The hub implements it. */
export interface RequestHandler {
  readonly limits: ChatLimits;
  /** Returns the state of a room that is open on this server. */
  readonly stateOf: Context["state"];
  /** Returns a monotonic time in milliseconds. */
  readonly now: () => number;
  /** Carries out a decision. Returns a promise if that is asynchronous. */
  carryOut(connection: Connection, command: Command, decision: Decision): Promise<void> | undefined;
  /** Gives the connection another wire format. */
  changeFormat(connection: Connection, change: FormatChange): void;
  /** Sends the acks of the client's messages to a room that have not left yet. */
  sendAcks(connection: Connection, room: string): void;
  /** Returns the refusal for a failed request. */
  failed(error: unknown): Refusal;
}

/**
 * The requests of one connection. Answers leave in the order of the requests. Chat messages to one room are
 * pipelined. A message to another room, any other request and any refusal wait for the results of the pipelined
 * messages, and leave after their acks. A change of a room's state waits likewise, and holds later requests.
 */
export class RequestQueue {
  readonly #connection: Connection;
  readonly #handler: RequestHandler;
  readonly #context: Context;
  readonly #requests: Incoming[] = [];
  /** Size, in UTF-16 units of JSON, of the requests queued since the queue was last empty. */
  #bytes = 0;
  #inFlight = 0;
  /** The room of the messages in flight, or of the last ones. */
  #inFlightRoom = "";
  /** The client's messages in that room that became pending events, by `seq`, until their results come. */
  readonly #passed: number[] = [];
  /** The `seq` of the newest of them so far, and of the newest one acked. */
  #passedSeq = 0;
  #ackedSeq = 0;
  #isScheduled = false;
  /** The change of a room's state in flight, and how often it was decided. */
  #setting: { readonly request: Command; decisions: number } | undefined;
  #isBusy = false;
  #answers = 0;
  #isPaused = false;
  #isEnded = false;
  #isFinishing = false;
  #onIdle: (() => void)[] = [];

  constructor(connection: Connection, handler: RequestHandler) {
    this.#connection = connection;
    this.#handler = handler;
    this.#context = {
      get session() {
        return connection.session;
      },
      limits: handler.limits,
      state: handler.stateOf,
    };
  }

  add(request: Incoming): void {
    if (this.#isEnded || this.#isFinishing) return;
    this.#requests.push(request);
    this.proceed();
    if (this.#requests.length === 0) return;
    this.#bytes += JSON.stringify(request).length;
    this.#throttle();
  }

  /** A message of the client has become a pending event of its room. */
  passed(room: string, seq: number): void {
    if (room !== this.#inFlightRoom) return;
    this.#passed.push(seq);
    this.#passedSeq = seq;
  }

  /** Whether the message with this `seq` has become a pending event. Forgets it then. */
  hasPassed(seq: number): boolean {
    // Results of different appends come in any order.
    const index = this.#passed.indexOf(seq);
    if (index === -1) return false;
    if (index === 0) this.#passed.shift();
    else this.#passed.splice(index, 1);
    return true;
  }

  /** The acks of the client's messages up to this `seq` have left. */
  acked(room: string, seq: number): void {
    if (room === this.#inFlightRoom) this.#ackedSeq = seq;
  }

  /** The result of a message in flight is known. */
  settled(): void {
    this.#inFlight -= 1;
    // What is left was in doubt.
    if (this.#inFlight === 0) this.#passed.length = 0;
    if (this.#setting !== undefined) {
      this.#setting = undefined;
      this.#isBusy = false;
    }
    if (this.#isScheduled || (this.#requests.length === 0 && this.#onIdle.length === 0)) return;
    this.#isScheduled = true;
    // Not now: results of the same batch follow, and the next request could start a fan-out.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.proceed();
    });
  }

  /** The change in flight was decided on an older state of its room. */
  decideAgain(): void {
    if (this.#isEnded) {
      // Nothing was stored. Without its client, the user may not even have its name any more.
      this.settled();
      return;
    }
    const setting = this.#setting as { readonly request: Command; decisions: number };
    const { request, decisions } = setting;
    const isLast = decisions >= DECISIONS_MAX;
    const decision = isLast ? refuse("busy", "The room changes too often; try again") : this.#decide(request);
    if (decision.type === "set") {
      setting.decisions += 1;
      void this.#handler.carryOut(this.#connection, request, decision);
      return;
    }
    this.#sendAcks();
    if (decision.type === "refusal") this.#connection.answer({ ...decision, id: request.id });
    this.settled();
  }

  /**
   * Accepts no more requests. Resolves when the queued ones are carried out; their answers do not wait for the
   * reader.
   */
  async complete(): Promise<void> {
    this.#isFinishing = true;
    this.proceed();
    await this.idle();
    this.#sendAcks();
  }

  /** Drops the queued requests and accepts no more. */
  end(): void {
    this.#isEnded = true;
    this.#requests.length = 0;
  }

  /** Resolves when no request is queued or under way. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Carries out the requests that are ready. */
  proceed(): void {
    while (this.#requests.length > 0 && !this.#isBusy) {
      const request = this.#requests[0] as Incoming;
      const decision = this.#decide(request);
      if (!this.#isReady(decision)) break;
      const refusal =
        decision.type === "format" ? undefined : checkRate(this.#connection, decision, this.#handler.now());
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

  #decide(request: Incoming): Decision | FormatChange {
    return request.type === "refusal" || request.type === "format" ? request : decide(this.#context, request);
  }

  #isReady(decision: Decision | FormatChange): boolean {
    if (isEntry(decision)) {
      if (this.#inFlight === 0) return true;
      if (decision.type === "set") return false;
      return decision.room.key === this.#inFlightRoom && this.#inFlight < this.#handler.limits.inFlightMax;
    }
    return this.#inFlight === 0 && (this.#isFinishing || this.#connection.link.bufferedBytes < ANSWER_BYTES_MAX);
  }

  #carryOut(request: Incoming, decision: Decision | FormatChange): void {
    const isNext = isEntry(decision) && decision.room.key === this.#inFlightRoom;
    if (!isNext) this.#sendAcks();
    // The client did not read fast enough for its acks. It has left already.
    if (this.#isEnded) return;
    if (isEntry(decision)) {
      this.#inFlight += 1;
      if (!isNext) {
        this.#inFlightRoom = decision.room.key;
        this.#passed.length = 0;
        this.#passedSeq = 0;
        this.#ackedSeq = 0;
      }
    }
    if (decision.type === "set") {
      this.#setting = { request: request as Command, decisions: 1 };
      this.#isBusy = true;
    }
    if (decision.type === "refusal") {
      this.#connection.answer({ ...decision, id: request.id });
      return;
    }
    if (decision.type === "format") {
      this.#handler.changeFormat(this.#connection, decision);
      return;
    }
    const work = this.#handler.carryOut(this.#connection, request as Command, decision);
    if (work === undefined) return;
    this.#isBusy = true;
    void this.#finish(work, request.id);
  }

  /** The next answer must not overtake the acks. */
  #sendAcks(): void {
    if (this.#ackedSeq < this.#passedSeq) this.#handler.sendAcks(this.#connection, this.#inFlightRoom);
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
      this.proceed();
    });
  }

  async #finish(work: Promise<void>, id: string | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#connection.outbox.release(undefined);
      this.#connection.answer({ ...this.#handler.failed(error), id });
    }
    // One asynchronous request per turn, so that a busy client does not delay the others.
    if (this.#requests.length > 0) await new Promise((resolve) => setImmediate(resolve));
    this.#isBusy = false;
    this.proceed();
  }

  /** Backpressure: pauses the link while the queue is over its limits, and resumes it when the queue is empty. */
  #throttle(): void {
    if (this.#requests.length === 0) this.#bytes = 0;
    if (this.#isEnded) return;
    const { requestQueueMax, requestQueueBytesMax } = this.#handler.limits;
    const isFull = this.#requests.length > requestQueueMax || this.#bytes > requestQueueBytesMax;
    if (!this.#isPaused && isFull) {
      this.#isPaused = true;
      this.#connection.link.pause();
    } else if (this.#isPaused && this.#requests.length === 0) {
      this.#isPaused = false;
      this.#connection.link.resume();
    }
  }

  #isIdle(): boolean {
    return this.#requests.length === 0 && !this.#isBusy && this.#inFlight === 0;
  }
}

/** Whether the decision becomes an entry of a room's log. */
function isEntry(decision: Decision | FormatChange): decision is Extract<Decision, { type: "append" | "set" }> {
  return decision.type === "append" || decision.type === "set";
}

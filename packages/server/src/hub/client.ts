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

/** While this many bytes wait for a client, its next request waits too; links tell when they have become fewer. */
const ANSWER_BYTES_MAX = 65_536;
/** Requests that are answered at once, refusals too; then whoever else waits gets a turn. */
const ANSWERS_PER_TURN = 64;

/** What a client asks of the hub it is connected to. */
export interface ClientOwner {
  readonly limits: ChatLimits;
  /** Why the client has to wait before this is carried out, if it asks too often; counts it otherwise. */
  checkRate(client: Client, decision: Decision): Refusal | undefined;
  /** Carries out what the rules decided; a promise if that waits for something. */
  carryOut(client: Client, command: Command, decision: Decision): Promise<void> | undefined;
  /** The client reads too slowly. */
  outboxFull(client: Client): void;
  /** The client is gone and nothing of it is under way any more. */
  departed(client: Client): Promise<void>;
  /** What to answer where something failed. */
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
 * One connected client: its session, its outbox, and its requests in order. Chat messages for one room follow each other
 * without waiting; one for another room, any other request, and any refusal wait until the messages before them have
 * passed, so that answers leave in the order of the requests.
 */
export class Client {
  /** Tells it from all others of this server. */
  readonly id: string;
  /** Whoever has this can take the session back, or share it; empty before `hello`. */
  secret = "";
  /** Which attempt took the session back last. */
  attempt = 0;
  session: Session = newSession();
  /** When the client was last heard, pinged, and connected, in milliseconds of the hub's clock. */
  heardAt: number;
  pingedAt: number | undefined;
  readonly connectedAt: number;
  readonly link: Link;
  /** How often it may ask; absent where there is no limit. */
  readonly rates: ConnectionRates | undefined;
  readonly outbox: Outbox;
  readonly #owner: ClientOwner;
  readonly #formats: WireFormats;
  readonly #requests: (Command | Refusal)[] = [];
  /** Of the requests that came to wait since none did. */
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

  /** How it is spoken to. */
  get format(): WireFormat {
    return this.#formats[this.session.version];
  }

  /** Who it is, as the hub has set it. */
  get person(): Person | undefined {
    return this.session.person as Person | undefined;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Where it has {@link gone}: resolves when it has left its rooms and its name is free. */
  get departure(): Promise<void> | undefined {
    return this.#departure;
  }

  /** A gateway read a request, or something that is none. */
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

  /** Says why the connection ends, and ends it. */
  sayGoodbye(goodbye: Goodbye): void {
    this.outbox.close(this.format.answer({ type: "bye", ...goodbye }));
    this.link.close(goodbye);
  }

  /** This many of its chat messages were committed or refused. */
  passed(messages: number): void {
    this.#inFlight -= messages;
    // Later, as a fan-out is under way, and the next request may begin another one.
    if (this.#requests.length > 0 || this.#onIdle.length > 0) queueMicrotask(() => this.#proceed());
  }

  /** What waited for it has left. */
  drained(): void {
    if (this.#requests.length > 0) this.#proceed();
  }

  /** The client will ask nothing more: what it asked is carried out, and then it is let go. */
  finish(): void {
    void this.complete().then(() => {
      this.link.close({ reconnect: false, message: "" });
      this.gone();
    });
  }

  /** Takes no more requests. Resolves when those that came are carried out; their answers wait for no reader. */
  async complete(): Promise<void> {
    this.#isFinishing = true;
    this.#proceed();
    await this.#idle();
  }

  /** The connection is gone; what it had begun comes to its end, and then it leaves its rooms. Idempotent. */
  gone(): void {
    if (this.#isGone) return;
    this.#end();
    this.#departure = this.#idle().then(() => this.#owner.departed(this));
  }

  /**
   * Stops without leaving: another connection takes its session, or the server stops. What waits is dropped. Resolves when
   * nothing of it is under way.
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
        // It waits for its turn, as every refusal does.
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

  /** Small requests cost little each, but a read brings thousands of them. */
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
    // One such request a turn, so that a client which asks much does not keep the others waiting.
    if (this.#requests.length > 0) await new Promise((resolve) => setImmediate(resolve));
    this.#isBusy = false;
    this.#proceed();
  }

  /** A client that asks faster than it is answered is not read for a while. */
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

/** Whether it becomes an entry of a room's log. */
function isEntry(decision: Decision): decision is Extract<Decision, { type: "append" | "set" }> {
  return decision.type === "append" || decision.type === "set";
}

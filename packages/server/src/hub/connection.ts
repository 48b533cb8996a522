import { type ConnectionRates, type Goodbye, newSession, type Session } from "../core/mod.ts";
import type { Answer } from "./events.ts";
import type { Link } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { Holder } from "./ports/roster.ts";
import { type Incoming, type RequestHandler, RequestQueue } from "./request-queue.ts";
import type { User } from "./user.ts";
import type { Recipient, WireFormat } from "./wire-format.ts";

/** The hub's side of a connection. */
export interface ConnectionOwner extends RequestHandler {
  /** The connection sends no more requests. */
  ended(connection: Connection): void;
  /** The connection is gone and all its requests have ended. */
  departed(connection: Connection): Promise<void>;
}

/** See {@link Connection}. */
export interface ConnectionOptions {
  readonly id: string;
  /** In milliseconds of the hub's clock. */
  readonly now: number;
  readonly rates: ConnectionRates | undefined;
  readonly format: WireFormat;
}

const SLOW_CONSUMER: Goodbye = {
  code: "slow-consumer",
  message: "You read more slowly than your rooms send",
  reconnect: true,
};

/** One client's connection: its session, its outbox and its requests. */
export class Connection implements Recipient {
  /** Unique over all nodes. */
  readonly id: string;
  /** The session in the roster. Before `hello` it has the connection's id, and ends with the connection. */
  holder: Holder;
  /** The number of the attempt that took the session over. */
  attempt = 0;
  readonly session: Session<User> = newSession();
  /** When the client last sent something, in milliseconds of the hub's clock. */
  heardAt: number;
  /** When the server sent the ping that the client has not answered yet. */
  pingedAt: number | undefined;
  readonly connectedAt: number;
  readonly link: Link;
  /** The client's rate limits. Absent if there are none. */
  readonly rates: ConnectionRates | undefined;
  readonly outbox: Outbox;
  readonly requests: RequestQueue;
  /** How the server writes to the client now. Rooms group their members by it, so only the hub changes it. */
  format: WireFormat;
  readonly #owner: ConnectionOwner;
  #isGone = false;
  #departure: Promise<void> | undefined;

  constructor(owner: ConnectionOwner, link: Link, { id, now, rates, format }: ConnectionOptions) {
    this.id = id;
    this.holder = { session: id, connection: id };
    this.heardAt = now;
    this.connectedAt = now;
    this.rates = rates;
    this.link = link;
    this.outbox = new Outbox(link, owner.limits.outboxBytesMax, () => this.dismiss(SLOW_CONSUMER));
    this.requests = new RequestQueue(this, owner);
    this.format = format;
    this.#owner = owner;
  }

  get user(): User | undefined {
    return this.session.user;
  }

  get username(): string | undefined {
    return this.session.user?.text;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** After {@link gone}: resolves when the connection has left its rooms and its session. */
  get departure(): Promise<void> | undefined {
    return this.#departure;
  }

  /** Takes what the dialect read. */
  receive(request: Incoming): void {
    this.requests.add(request);
  }

  answer(answer: Answer): void {
    const bytes = this.encode(answer);
    if (bytes !== undefined) this.outbox.send(bytes);
  }

  /** Encodes an answer, which the caller sends. `undefined` if the client's dialect does not have it. */
  encode(answer: Answer): Uint8Array | undefined {
    return this.format.answer(answer, this);
  }

  /** Sends the reason and closes the connection. */
  sayGoodbye(goodbye: Goodbye): void {
    this.outbox.close(this.encode({ type: "bye", ...goodbye }));
    this.link.close(goodbye);
  }

  /** Sends the reason and closes the connection. Its session may wait for the client. */
  dismiss(goodbye: Goodbye): void {
    if (this.#isGone) return;
    this.sayGoodbye(goodbye);
    this.gone();
  }

  /** The link's buffered bytes have left. */
  drained(): void {
    this.requests.proceed();
  }

  /** The client will send no more requests. Carries out the queued ones, then closes the connection. */
  finish(): void {
    void this.requests.complete().then(() => {
      this.link.close({ reconnect: false, message: "" });
      this.gone();
    });
  }

  /** The connection is gone. Waits for requests under way, then leaves the rooms and the session. Idempotent. */
  gone(): void {
    if (this.#isGone) return;
    this.#end();
    this.#departure = this.requests.idle().then(() => this.#owner.departed(this));
  }

  /** Stops without leaving the rooms and the session, because the server stops. Drops queued requests. */
  retire(): void {
    this.#end();
  }

  #end(): void {
    if (!this.#isGone) this.#owner.ended(this);
    this.#isGone = true;
    this.requests.end();
  }
}

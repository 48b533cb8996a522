import type { Answer, RoomEvent } from "./events.ts";
import type { Entry } from "./ports/room-log.ts";

/** What a message becomes in a dialect: one text, several, or none if the dialect does not have it. */
export type Texts = string | readonly string[] | undefined;

/** The client that gets a message. Some dialects name it there. */
export interface Recipient {
  /** The displayed name. `undefined` before the client has one. */
  readonly username: string | undefined;
}

/** A dialect's half of a wire format: it encodes messages as texts, without frames. `room` is the displayed name. */
export interface Encoder {
  /** The dialect and its version, for example `json/2`. */
  readonly dialect: string;
  /** What the client negotiated, in any order. Encoders of one dialect and the same capabilities are equal. */
  readonly capabilities: readonly string[];
  /** Encodes an event for all members except its author. */
  event(event: RoomEvent, room: string): Texts;
  /** Encodes an event for its author: as an ack, as the event itself, or not at all. */
  own(event: RoomEvent, room: string, author: Recipient): Texts;
  /** Encodes a message for one client. */
  answer(answer: Answer, recipient: Recipient): Texts;
}

/** The transport's half of a wire format: it delimits texts in the byte stream. */
export interface Framing {
  readonly name: string;
  frame(text: string): Uint8Array;
  /** Puts several frames into one buffer. `ends[i]` is where the frame of `texts[i]` ends. */
  batch(texts: readonly string[]): Batch;
}

export interface Batch {
  readonly bytes: Uint8Array;
  readonly ends: readonly number[];
}

/** Asks for another encoder in place of the connection's present one. A dialect can negotiate one at any time. */
export interface FormatChange {
  readonly type: "format";
  readonly id?: string | undefined;
  readonly encoder: Encoder;
}

const NO_BYTES = new Uint8Array(0);

/**
 * A dialect, a framing and a set of capabilities: how the server writes to one kind of client. Clients with the same
 * format share encoded bytes. See `WireFormats`, which makes them.
 */
export class WireFormat {
  /** Equal for equal formats. */
  readonly key: string;
  readonly framing: Framing;
  /** Whether the client negotiated it. */
  readonly isNegotiated: boolean;
  readonly #encoder: Encoder;

  constructor(encoder: Encoder, framing: Framing) {
    const { dialect, capabilities } = encoder;
    this.key = JSON.stringify([dialect, framing.name, ...capabilities.toSorted()]);
    this.framing = framing;
    this.isNegotiated = capabilities.length > 0;
    this.#encoder = encoder;
  }

  /** Encodes events. `ends[i]` is where the frames of `events[i]` end. */
  batch(events: readonly RoomEvent[], room: string): Batch {
    const texts = events.map((event) => this.#encoder.event(event, room));
    return texts.every(isOne) ? this.framing.batch(texts) : this.#batchOf(texts);
  }

  own(event: RoomEvent, room: string, author: Recipient): Uint8Array | undefined {
    return this.#frame(this.#encoder.own(event, room, author));
  }

  answer(answer: Answer, recipient: Recipient): Uint8Array | undefined {
    return this.#frame(this.#encoder.answer(answer, recipient));
  }

  /** Returns the size of a past entry in an answer, in bytes, without frames. */
  entryBytes(entry: Entry, room: string): number {
    const texts = this.#encoder.event({ type: "entry", entry, origin: undefined }, room);
    return isOne(texts)
      ? Buffer.byteLength(texts)
      : (texts ?? []).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  }

  #frame(texts: Texts): Uint8Array | undefined {
    if (isOne(texts)) return this.framing.frame(texts);
    return texts === undefined || texts.length === 0 ? undefined : this.framing.batch(texts).bytes;
  }

  #batchOf(all: readonly Texts[]): Batch {
    const texts: string[] = [];
    /** The number of texts up to the end of each event. */
    const counts = all.map((each) => texts.push(...(isOne(each) ? [each] : (each ?? []))));
    if (texts.length === 0) return { bytes: NO_BYTES, ends: counts };
    const { bytes, ends } = this.framing.batch(texts);
    return { bytes, ends: counts.map((count) => ends[count - 1] ?? 0) };
  }
}

function isOne(texts: Texts): texts is string {
  return typeof texts === "string";
}

import type { Answer, RoomEvent } from "./events.ts";
import type { Entry } from "./ports/room-log.ts";

/** An entry, encoded by the dialect. */
export type EntryText = string;

/** The dialect's half of a wire format: it encodes messages as text, without frames. `room` is the displayed name. */
export interface Encoder {
  /** Encodes an event for all members except its author. `undefined` if the dialect does not have it. */
  event(event: RoomEvent, room: string): string | undefined;
  /** Encodes an event for its author: as an ack, as the event itself, or not at all. */
  own(event: RoomEvent, room: string): string | undefined;
  /** Encodes a message for one client. `undefined` if the dialect does not have it. */
  answer(answer: Answer): string | undefined;
}

/** The transport's half of a wire format: it delimits texts in the byte stream. */
export interface Framing {
  frame(text: string): Uint8Array;
  /** Puts several frames into one buffer. `ends[i]` is where the frame of `texts[i]` ends. */
  batch(texts: readonly string[]): Batch;
}

export interface Batch {
  readonly bytes: Uint8Array;
  readonly ends: readonly number[];
}

const NO_BYTES = new Uint8Array(0);

/**
 * A dialect in a framing: how the server writes to one kind of client. Clients with the same format share encoded
 * bytes.
 */
export class WireFormat {
  readonly #encoder: Encoder;
  readonly #framing: Framing;

  constructor(encoder: Encoder, framing: Framing) {
    this.#encoder = encoder;
    this.#framing = framing;
  }

  batch(events: readonly RoomEvent[], room: string): Batch {
    const texts = events.map((event) => this.#encoder.event(event, room));
    if (!texts.includes(undefined)) return this.#framing.batch(texts as string[]);
    const said = texts.filter((text) => text !== undefined);
    if (said.length === 0) return { bytes: NO_BYTES, ends: texts.map(() => 0) };
    const batch = this.#framing.batch(said);
    let count = 0;
    // A skipped event ends where the previous one ends.
    const ends = texts.map((text) => {
      if (text !== undefined) count += 1;
      return batch.ends[count - 1] ?? 0;
    });
    return { bytes: batch.bytes, ends };
  }

  own(event: RoomEvent, room: string): Uint8Array | undefined {
    const text = this.#encoder.own(event, room);
    return text === undefined ? undefined : this.#framing.frame(text);
  }

  /** Encodes a past entry for an answer. `undefined` if the dialect does not have it. */
  entry(entry: Entry, room: string): EntryText | undefined {
    return this.#encoder.event({ type: "entry", entry, origin: undefined }, room);
  }

  answer(answer: Answer): Uint8Array | undefined {
    const text = this.#encoder.answer(answer);
    return text === undefined ? undefined : this.#framing.frame(text);
  }
}

/** The formats of one connection, by version: 1 before `hello`, 2 after it. */
export interface WireFormats {
  readonly 1: WireFormat;
  readonly 2: WireFormat;
}

import type { Answer, RoomEvent } from "./events.ts";
import type { Entry } from "./room-log.ts";

/** An entry as the dialect says it. */
export type EntryText = string;

/** A dialect's half of a wire format: the text of what is sent, without its frame. `room` is the name as shown. */
export interface Encoder {
  /** For every member but the event's own author; nothing where the dialect has no word for it. */
  event(event: RoomEvent, room: string): string | undefined;
  /** For the author: an acknowledgement, the event itself, or nothing. */
  own(event: RoomEvent, room: string): string | undefined;
  /** For one client; nothing where the dialect has no word for it. */
  answer(answer: Answer): string | undefined;
}

/** A transport's half of a wire format: how texts are told apart in the byte stream. */
export interface Framing {
  frame(text: string): Uint8Array;
  /** Several frames in one buffer; `ends[i]` is where the frame of `texts[i]` ends. */
  batch(texts: readonly string[]): Batch;
}

export interface Batch {
  readonly bytes: Uint8Array;
  readonly ends: readonly number[];
}

const NO_BYTES = new Uint8Array(0);

/** How one kind of client is spoken to: a dialect in a framing. Clients with the same format share encoded bytes. */
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
    // What is not said ends where the one before it ends.
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

  /** An entry of the past, for an answer; nothing where the dialect has no word for it. */
  entry(entry: Entry, room: string): EntryText | undefined {
    return this.#encoder.event({ type: "entry", entry, origin: undefined }, room);
  }

  answer(answer: Answer): Uint8Array | undefined {
    const text = this.#encoder.answer(answer);
    return text === undefined ? undefined : this.#framing.frame(text);
  }
}

/** The formats of one connection: before `hello`, and after. */
export interface WireFormats {
  readonly 1: WireFormat;
  readonly 2: WireFormat;
}

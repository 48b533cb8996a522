import type { Answer, RoomEvent } from "./events.ts";

/** A dialect's half of a wire format: the text of what is sent, without its frame. `room` is the name as shown. */
export interface Encoder {
  /** For every member but the event's own author. */
  event(event: RoomEvent, room: string): string;
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

/** How one kind of client is spoken to: a dialect in a framing. Clients with the same format share encoded bytes. */
export class WireFormat {
  readonly #encoder: Encoder;
  readonly #framing: Framing;

  constructor(encoder: Encoder, framing: Framing) {
    this.#encoder = encoder;
    this.#framing = framing;
  }

  batch(events: readonly RoomEvent[], room: string): Batch {
    return this.#framing.batch(events.map((event) => this.#encoder.event(event, room)));
  }

  own(event: RoomEvent, room: string): Uint8Array | undefined {
    const text = this.#encoder.own(event, room);
    return text === undefined ? undefined : this.#framing.frame(text);
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

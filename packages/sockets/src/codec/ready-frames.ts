const NONE: readonly never[] = [];

/** Frames that are decoded and wait to be taken: all at once, which copies none of them, or one by one. */
export class ReadyFrames<T> {
  /** Bytes that arrived since the frames were asked for; who stores frames counts them. */
  bytes = 0;
  #frames: readonly T[] = NONE;
  /** `#frames`, if it is an array of our own. */
  #own: T[] | undefined;
  /** How many of `#frames` were taken one by one. */
  #taken = 0;

  get length(): number {
    return this.#frames.length - this.#taken;
  }

  /** Behind frames that wait, others are put into an array of our own; taken frames leave it when they are the most of it. */
  push(frames: readonly T[]): void {
    if (this.length === 0) {
      this.#set(frames, undefined);
      return;
    }
    if (this.#own === undefined || this.#taken > this.length) {
      this.#own = this.#frames.slice(this.#taken);
      this.#set(this.#own, this.#own);
    }
    for (const frame of frames) this.#own.push(frame);
  }

  takeAll(): readonly T[] {
    const frames = this.#taken === 0 ? this.#frames : this.#frames.slice(this.#taken);
    this.#clear();
    return frames;
  }

  /** Call it only where there is one. */
  take(): T {
    const frame = this.#frames[this.#taken] as T;
    this.#taken += 1;
    if (this.length === 0) this.#clear();
    return frame;
  }

  #clear(): void {
    this.bytes = 0;
    this.#set(NONE, undefined);
  }

  #set(frames: readonly T[], own: T[] | undefined): void {
    this.#frames = frames;
    this.#own = own;
    this.#taken = 0;
  }
}

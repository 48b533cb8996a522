const NONE: readonly never[] = [];

/** Decoded frames that were not read. Take all at once, which copies nothing, or one at a time. */
export class ReadyFrames<T> {
  /** Bytes that arrived since the frames were last empty. Its owner counts them. */
  bytes = 0;
  #frames: readonly T[] = NONE;
  /** `#frames`, if this class created the array and may change it. */
  #own: T[] | undefined;
  /** Number of `#frames` that were taken one at a time. */
  #taken = 0;

  get length(): number {
    return this.#frames.length - this.#taken;
  }

  /**
   * Appends frames. Frames after unread ones go into an array of our own. When most of it was taken, the taken part is
   * dropped.
   */
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

  /** Takes the next frame. There must be one. */
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

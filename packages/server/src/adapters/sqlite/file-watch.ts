import { statSync } from "node:fs";

/** How often it looks, in milliseconds. */
const LOOK_MS = 1_000;

/** Notices that an open file is no longer in its place, removed or replaced: what is written to it is lost then. */
export class FileWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(file: string, onGone: () => void) {
    const opened = identityOf(file);
    this.#timer = setInterval(() => {
      const found = identityOf(file);
      // A folder that cannot be looked at for a while may have it still.
      if (found === "unknown" || found === opened) return;
      this.stop();
      onGone();
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function identityOf(file: string): string {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "none" : "unknown";
  }
}

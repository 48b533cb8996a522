import { once } from "node:events";
import { Interrupted } from "./exit.ts";
import { announce } from "./notes.ts";

/**
 * Takes Ctrl-C and SIGTERM: the first aborts the signal, with an {@link Interrupted} as its reason, so that the command
 * can close in peace; the second ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const interrupted = new Interrupted(name);
      if (controller.signal.aborted) {
        // The end waits for calls to the system, as opening a named pipe that nobody reads: a third one does not.
        process.removeAllListeners(name);
        process.exit(interrupted.exitCode);
      }
      controller.abort(interrupted);
    });
  }
  return controller.signal;
}

/** Lets the process live on when its terminal is closed, or when it is asked to reload, which it cannot yet. */
export function ignoreHangUp(): void {
  process.on("SIGHUP", () => undefined);
}

/** Waits for the end of a server's life, and says that it has come: closing waits for those who are connected. */
export async function untilInterrupted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
  const isTyped = signal.reason instanceof Interrupted && signal.reason.signal === "SIGINT";
  announce(isTyped ? "Shutting down; press Ctrl-C again to stop at once" : "Shutting down");
}

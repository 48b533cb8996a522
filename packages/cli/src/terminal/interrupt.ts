import { once } from "node:events";
import { Interrupted } from "./exit.ts";
import { announce } from "./notes.ts";

/**
 * Handles SIGINT (Ctrl-C) and SIGTERM. The first one aborts the returned signal with an {@link Interrupted}, and the
 * command shuts down. The second one exits the process.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const interrupted = new Interrupted(name);
      if (controller.signal.aborted) {
        // exit() waits for running system calls, such as open() of a named pipe without a reader. Without handlers, a third
        // signal kills the process.
        process.removeAllListeners(name);
        process.exit(interrupted.exitCode);
      }
      controller.abort(interrupted);
    });
  }
  return controller.signal;
}

/** Ignores SIGHUP, which is sent when the terminal closes and by tools that ask for a reload. Reloading is not supported. */
export function ignoreHangUp(): void {
  process.on("SIGHUP", () => undefined);
}

/** Waits for SIGINT or SIGTERM, and announces the shutdown: it can take a while, because it waits for clients. */
export async function untilInterrupted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
  const isTyped = signal.reason instanceof Interrupted && signal.reason.signal === "SIGINT";
  announce(isTyped ? "Shutting down; press Ctrl-C again to stop at once" : "Shutting down");
}

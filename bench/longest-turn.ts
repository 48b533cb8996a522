import { readFileSync, writeFileSync } from "node:fs";

/**
 * Notes how much processor time the longest turn of this thread's event loop takes, in microseconds, and writes it into the
 * file when the process ends. Time in which the thread only waits for a processor does not count, so that a busy machine
 * changes little.
 */
export function noteLongestTurn(file: string): void {
  let longest = 0;
  let before = process.threadCpuUsage();
  // Due in every turn that takes as long, and less often than an immediate, which would keep the loop from sleeping.
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    longest = Math.max(longest, now.user - before.user + (now.system - before.system));
    before = now;
  }, 1);
  timer.unref();
  process.once("exit", () => writeFileSync(file, String(longest)));
}

export function readLongestTurn(file: string): number {
  return Number(readFileSync(file, "utf8"));
}

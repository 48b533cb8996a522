import { readFileSync, writeFileSync } from "node:fs";

/**
 * Measures the CPU time of the longest turn of this thread's event loop, in microseconds. Writes it to the file when the
 * process exits. CPU time excludes the wait for a processor, so a busy machine hardly changes the result.
 */
export function noteLongestTurn(file: string): void {
  let longest = 0;
  let before = process.threadCpuUsage();
  // The timer is due after every turn longer than 1 ms. Unlike an immediate, it lets the loop sleep.
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

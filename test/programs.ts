/**
 * The programs that some tests need. Where one is missing, these tests are skipped and say how to get it; with `CI=true` they fail.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The browser's path. */
export const chromiumPath: string | undefined = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((folder) => [join(folder, "chromium"), join(folder, "chromium-browser"), join(folder, "google-chrome")])
  .find((path) => existsSync(path));

/** A test's `skip`. */
export function skipWithoutChromium(): string | false {
  return skipUnless(
    chromiumPath !== undefined,
    "there is no Chromium on the PATH; on Debian and Ubuntu: apt-get install chromium",
  );
}

/** A test's `skip`. */
export function skipWithoutPython(): string | false {
  const isThere = spawnSync("python3", ["--version"]).status === 0;
  return skipUnless(isThere, "there is no python3 on the PATH; on Debian and Ubuntu: apt-get install python3");
}

function skipUnless(isThere: boolean, reason: string): string | false {
  if (!isThere && process.env.CI) throw new Error(`CI must not skip tests: ${reason}`);
  return isThere ? false : reason;
}

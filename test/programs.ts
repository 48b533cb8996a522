/**
 * Programs that some tests need. Without them, these tests are skipped with a hint how to install the program. With
 * `CI=true` they fail.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of the browser. */
export const chromiumPath: string | undefined = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((folder) => [join(folder, "chromium"), join(folder, "chromium-browser"), join(folder, "google-chrome")])
  .find((path) => existsSync(path));

/** The `skip` option of a test. */
export function skipWithoutChromium(): string | false {
  return skipUnless(
    chromiumPath !== undefined,
    "there is no Chromium on the PATH; on Debian and Ubuntu: apt-get install chromium",
  );
}

/** The `skip` option of a test. */
export function skipWithoutPython(): string | false {
  const isThere = spawnSync("python3", ["--version"]).status === 0;
  return skipUnless(isThere, "there is no python3 on the PATH; on Debian and Ubuntu: apt-get install python3");
}

function skipUnless(isThere: boolean, reason: string): string | false {
  if (!isThere && process.env.CI) throw new Error(`CI must not skip tests: ${reason}`);
  return isThere ? false : reason;
}

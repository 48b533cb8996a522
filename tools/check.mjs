// Runs all static checks. Prints one line per check, and the output of each check that fails.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const published = ["sockets", "protocol", "client", "server", "cli"].map((name) => `packages/${name}`);

const checks = [
  ["format, lint, import directions", ["biome", "check", "--error-on-warnings", "."]],
  ["types of sources and tests", ["tsc", "-p", "tsconfig.json"]],
  ["types of the web page", ["tsc", "-p", "packages/web"]],
  ["build and declarations", ["tsc", "-b", ...published]],
  ...published.map((folder) => [`exports of ${folder}`, ["publint", "run", folder, "--strict"]]),
  ...published
    .filter((folder) => folder !== "packages/cli")
    .map((folder) => [`types of ${folder} as others see them`, ["attw", "--pack", folder, "--profile", "esm-only"]]),
  ["documents", ["node", "--conditions=@landline/source", "tools/check-docs.mjs"]],
];

let failed = 0;
for (const [name, [command, ...args]] of checks) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  process.stdout.write(`${status === 0 ? "ok    " : "FAILED"} ${name}\n`);
  if (status === 0) continue;
  failed += 1;
  process.stdout.write(`${stdout ?? ""}${stderr ?? ""}\n`);
}
process.exit(failed === 0 ? 0 : 1);

// Sets the repository up: installs the packages and builds the web page, if they changed. Runs before `npm start`, `npm
// test` and the checks. It is plain JavaScript, because it must run on every Node that runs npm.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const bin = join(modules, ".bin");

installPackages();
checkNode();
buildWebPage();

/** Runs `npm ci` when the lock file has changed. */
function installPackages() {
  const stamp = join(modules, ".landline-packages");
  const packages = hash(["package.json", "package-lock.json", ".npmrc"].map((name) => join(root, name)));
  if (isFresh(stamp, packages)) return;
  say("installing packages");
  // Hide warnings about the machine's Node version: the repository installs its own Node.
  npm(
    ["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    "the packages could not be installed; is the package registry reachable?",
  );
  writeFileSync(stamp, packages);
}

/**
 * Checks the machine's Node version if npm has no Node for this platform. Otherwise npm scripts run on the repository's
 * Node, which is first in PATH.
 */
function checkNode() {
  if (existsSync(join(bin, process.platform === "win32" ? "node.cmd" : "node"))) return;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 11)) return;
  fail(`this machine needs Node >= 24.11, found ${process.versions.node} (npm has no prebuilt Node for this platform)`);
}

/** Builds the web page into the server's package if a source file has changed. */
function buildWebPage() {
  const stamp = join(modules, ".landline-web");
  const sources = hash([
    ...filesIn(join(root, "packages/web")),
    ...filesIn(join(root, "packages/client/src")),
    ...filesIn(join(root, "packages/protocol/src")),
    join(root, "package-lock.json"),
  ]);
  if (isFresh(stamp, sources) && existsSync(join(root, "packages/server/web/index.html"))) return;
  say("building the web page");
  npm(["run", "--silent", "build:web"], "the web page could not be built");
  writeFileSync(stamp, sources);
}

function npm(args, failure) {
  // On Windows `npm` is a shell script. Run the JavaScript file that it starts, which is next to Node.
  const besideNode = join(dirname(process.execPath), "node_modules", "npm", "bin", "npm-cli.js");
  const cli = process.env.npm_execpath ?? (process.platform === "win32" ? besideNode : undefined);
  const [command, rest] = cli === undefined ? ["npm", args] : [process.execPath, [cli, ...args]];
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  // Send the output of npm and Vite to standard error: standard output belongs to the command that follows.
  const { status } = spawnSync(command, rest, { cwd: root, env, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail(failure);
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => !/node_modules|[\\/]dist[\\/]/.test(path) && statSync(path).isFile())
    .sort();
}

function hash(paths) {
  const sum = createHash("sha256");
  for (const path of paths) if (existsSync(path)) sum.update(path.slice(root.length)).update(readFileSync(path));
  return sum.digest("hex");
}

function isFresh(stamp, content) {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === content;
}

function say(text) {
  process.stderr.write(`landline: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

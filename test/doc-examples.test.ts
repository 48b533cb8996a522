/**
 * Runs and type-checks every JSDoc example and every code block of the package READMEs, except blocks that start with
 * ` ```ts ignore `.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, posix } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

interface Example {
  /** The file, and the symbol or heading. */
  readonly name: string;
  readonly code: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const READMES = ["packages/sockets/README.md", "packages/client/README.md"];
const RUN_TIMEOUT_MS = 60_000;

/** Examples that need something else to run. */
const NOT_RUN: Readonly<Record<string, string>> = {
  "packages/client/src/client.ts: ChatClient": "needs a chat server on port 8083",
  "packages/client/src/tcp-link.ts: tcpLink": "needs a chat server on port 8083",
  "packages/client/src/websocket-link.ts: websocketLink": "needs a chat server on port 8083",
};

const sources = globSync("packages/*/src/**/*.ts", { cwd: root })
  .map(toPosix)
  .filter((file) => !file.endsWith(".test.ts"))
  .sort();
const examples = [
  ...sources.flatMap((file) => examplesOfSource(file)),
  ...READMES.flatMap((file) => examplesOfReadme(file)),
];

describe("examples in the documents", { concurrency: availableParallelism() }, () => {
  // Inside the repository, so that Node finds the packages. The name is unique because two runs may overlap.
  const folder = mkdtempSync(join(root, "test/.doc-examples-"));
  after(() => rmSync(folder, { recursive: true }));

  for (const [index, { name, code }] of examples.entries()) {
    test(`${name} runs as shown`, { skip: NOT_RUN[name] ?? false }, async () => {
      const file = join(folder, `${index}.ts`);
      writeFileSync(file, code);
      const args = ["--conditions=@landline/source", file];
      const { stderr } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: RUN_TIMEOUT_MS });
      assert.equal(stderr, "");
    });
  }

  test("the examples pass the type checker", { timeout: RUN_TIMEOUT_MS }, async () => {
    const files = examples.flatMap(({ name, code }, index) => {
      if (name in NOT_RUN) return [];
      // `export {}` makes each file a module. Otherwise the names would be global.
      writeFileSync(join(folder, `typed-${index}.ts`), `${code}\nexport {};\n`);
      return [`typed-${index}.ts`];
    });
    const project = join(folder, "tsconfig.json");
    // An example may leave a variable unused.
    const compilerOptions = { types: ["node"], noUnusedLocals: false };
    const config = { extends: "../../tsconfig.json", include: [], files, compilerOptions };
    writeFileSync(project, JSON.stringify(config));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    try {
      await promisify(execFile)(process.execPath, [tsc, "-p", project], { cwd: root });
    } catch (error) {
      assert.fail(String((error as { stdout?: unknown }).stdout).replaceAll(/typed-(\d+)\.ts/g, named));
    }
  });
});

test("NOT_RUN names only existing examples", () => {
  const names = new Set(examples.map(({ name }) => name));
  assert.deepEqual(
    Object.keys(NOT_RUN).filter((name) => !names.has(name)),
    [],
  );
});

for (const name of ["mod.ts", "http/mod.ts", "testing/mod.ts"]) {
  const entry = `packages/sockets/src/${name}`;
  test(`${entry} exports no name without a JSDoc comment`, () => {
    const exported = exportsOf(entry);
    assert.ok(exported.length > 0);
    assert.deepEqual(
      exported.filter(({ file, name }) => !hasComment(file, name)).map(({ file, name }) => `${file}: ${name}`),
      [],
    );
  });
}

/** The blocks under `@example`, each named after its symbol. */
function examplesOfSource(file: string): Example[] {
  const text = read(file);
  return [...text.matchAll(/\/\*\*(.*?)\*\/\s*([^\n]*)/gs)].flatMap(([, comment = "", declaration = ""]) => {
    const at = comment.indexOf("@example");
    if (at === -1) return [];
    const shown = comment.slice(at).replaceAll(/^ *\* ?/gm, "");
    return numbered(`${file}: ${nameOf(declaration)}`, blocksOf(shown));
  });
}

/** All blocks, each named after the heading above it. */
function examplesOfReadme(file: string): Example[] {
  return read(file)
    .split(/^(?=## )/m)
    .flatMap((chapter) => numbered(`${file}: ${/^## (.*)/.exec(chapter)?.[1] ?? "top"}`, blocksOf(chapter)));
}

function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);
}

function numbered(name: string, blocks: readonly string[]): Example[] {
  return blocks.map((code, index) => ({ name: blocks.length === 1 ? name : `${name} (${index + 1})`, code }));
}

function named(found: string, index: string): string {
  return examples[Number(index)]?.name ?? found;
}

/** The name of a declaration or member. */
function nameOf(declaration: string): string {
  const pattern =
    /^(?:(?:export|declare|async|abstract|static|readonly|get|const|function\*|function|class|interface|type) )*(\w+)/;
  return pattern.exec(declaration)?.[1] ?? "module";
}

/** The names that a `mod.ts` exports, with their files. */
function exportsOf(entry: string): { file: string; name: string }[] {
  const text = read(entry);
  const fileOf = (path: string): string => posix.join(posix.dirname(entry), path);
  const all = [...text.matchAll(/export \* from "(.+?)"/g)].flatMap(([, path = ""]) => exportsOf(fileOf(path)));
  const some = [...text.matchAll(/export (?:type )?\{(.*?)\} from "(.+?)"/gs)].flatMap(([, names = "", path = ""]) =>
    names
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => ({ file: fileOf(path), name })),
  );
  return [...all, ...some];
}

function hasComment(file: string, name: string): boolean {
  const words = "(?:abstract |async )?(?:function\\*?|class|interface|type|const)";
  return new RegExp(`\\*/\\nexport ${words} ${name}\\b`).test(read(file));
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8").replaceAll("\r\n", "\n");
}

function toPosix(path: string): string {
  return path.replaceAll("\\", "/");
}

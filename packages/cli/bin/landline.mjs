#!/usr/bin/env node
// The entry of the command. It has no static imports, so that an old Node can still say what is wrong.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 11)) {
  const { existsSync } = await import("node:fs");
  const { fileURLToPath } = await import("node:url");
  const bin = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
  const hint = existsSync(`${bin}/node`) ? `; this repository has it: put ${bin} first on the PATH` : "";
  process.stderr.write(`landline needs Node >= 24.11, found ${process.versions.node}${hint}\n`);
  process.exit(1);
}

const { existsSync } = await import("node:fs");
const source = new URL("../src/main.ts", import.meta.url);
if (existsSync(source)) {
  // A checkout of the repository: run the sources as they are, without a build.
  const { registerHooks } = await import("node:module");
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: ["@landline/source", ...context.conditions] }),
  });
  await import(source.href);
} else {
  await import("../dist/main.js");
}

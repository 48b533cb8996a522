// Checks the documents: links to files resolve, and every code, setting and limit is described.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BYE_CODES, ERROR_CODES } from "@landline/protocol";
import { DEFAULT_CONFIG, DEFAULT_LIMITS } from "@landline/server";

const root = fileURLToPath(new URL("..", import.meta.url));
const problems = [];

for (const name of globSync(["*.md", "docs/*.md", "packages/*/*.md", "bench/*.md", "examples/*.md"], { cwd: root })) {
  const text = readFileSync(join(root, name), "utf8");
  for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:|^#/.test(link)) continue;
    if (!existsSync(join(root, dirname(name), link.replace(/#.*$/, ""))))
      problems.push(`${name}: ${link} does not exist`);
  }
}

mentions("docs/protocol.md", [...ERROR_CODES, ...Object.keys(BYE_CODES)]);
mentions("docs/limits.md", [...Object.keys(DEFAULT_LIMITS), ...Object.keys(DEFAULT_CONFIG)]);

for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exit(problems.length === 0 ? 0 : 1);

function mentions(name, words) {
  const text = readFileSync(join(root, name), "utf8");
  for (const word of words) if (!text.includes(`\`${word}\``)) problems.push(`${name}: missing \`${word}\``);
}

import { readFileSync } from "node:fs";

/** The command's version; `package.json` stands above the sources and above `dist` alike. */
export function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

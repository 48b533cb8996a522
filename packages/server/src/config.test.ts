import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { SettingName } from "./check-settings.ts";
import { SETTINGS } from "./config.ts";
import { DEFAULT_SETTINGS } from "./load-config.ts";
import { formatSetting } from "./setting-value.ts";

test("docs/limits.md lists each setting once, with its default, and no others", () => {
  const text = readFileSync(new URL("../../../docs/limits.md", import.meta.url), "utf8");
  const [, server = ""] = text.split(/^## /m);
  const rows = [...server.matchAll(/^\| `(\w+)` \| ([^|]+?) \|/gm)].map(([, name, value]) => [name, value]);
  const settings = Object.entries(SETTINGS).map(([name, setting]) => {
    return [name, formatSetting(setting, DEFAULT_SETTINGS[name as SettingName])];
  });
  assert.deepEqual(rows.sort(), settings.sort());
});

test("SETTINGS describes each setting in one line", () => {
  for (const [name, { about }] of Object.entries(SETTINGS)) assert.match(about, /^[a-z].{10,90}[^.]$/, name);
});

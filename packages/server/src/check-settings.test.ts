import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startServer } from "@landline/server";
import { failOnLeaks } from "../../../test/leaks.ts";
import { checkSettings, type SettingName, type Settings } from "./check-settings.ts";
import { DEFAULT_CONFIG, RELATIONS, SETTINGS, type Setting } from "./config.ts";
import { DEFAULT_LIMITS } from "./core/mod.ts";
import { loadConfig } from "./load-config.ts";
import { boundsOf, formatSetting, parseSetting } from "./setting-value.ts";

failOnLeaks();

const DEFAULTS: Settings = { ...DEFAULT_CONFIG, ...DEFAULT_LIMITS };
const NUMBERS = Object.entries(SETTINGS).filter(([, { kind }]) => !["text", "hosts", "choice", "port"].includes(kind));

/** Settings large enough for the relations of all others. */
const ROOMY: Settings = { ...DEFAULTS, frameBytesMax: 2 ** 28, outboxBytesMax: 2 ** 31 - 1 };

function refusal(given: Partial<Settings>, base: Settings = ROOMY): string | undefined {
  try {
    checkSettings({ ...base, ...given });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof RangeError);
    return error.message;
  }
}

describe("checkSettings()", () => {
  test("returns the defaults unchanged", () => {
    const { data: _, ...defaults } = DEFAULTS;
    assert.deepEqual(checkSettings(DEFAULTS), defaults);
    assert.deepEqual(checkSettings({ ...DEFAULTS, data: "./data" }), { ...defaults, data: "./data" });
  });

  for (const [name, setting] of NUMBERS) {
    const { min, max } = boundsOf(setting);
    test(`accepts ${name} from ${min} to ${max}`, () => {
      const step = setting.kind === "rate" ? 0.0001 : 1;
      const wrong = [
        min - step,
        max + 1,
        -1,
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        undefined,
        null,
        "",
        "much",
        [],
        true,
      ];
      if (setting.kind !== "rate") wrong.push(min + 0.5);
      if (setting.kind !== "rate" && !setting.isUnlimitable) wrong.push(Number.POSITIVE_INFINITY);
      for (const value of wrong) {
        const message = refusal({ [name]: value });
        assert.match(message ?? "accepted", new RegExp(`^Cannot use ${name} \\S+: (not|must be) [^\\n]+$`), `${value}`);
      }
      const isFirst = RELATIONS.some((relation) => relation.name === name);
      const isOther = RELATIONS.some((relation) => relation.other === name);
      if (!isFirst) assert.equal(refusal({ [name]: min }), undefined);
      if (!isOther) assert.equal(refusal({ [name]: max }), undefined);
      assert.equal(parseSetting(setting, formatSetting(setting, min)), min);
      assert.equal(parseSetting(setting, formatSetting(setting, max)), max);
    });
  }

  for (const { name, other, least } of RELATIONS) {
    test(`requires ${name} to be large enough for ${other}`, async () => {
      const [setting, otherSetting] = [SETTINGS[name], SETTINGS[other]] as [Setting, Setting];
      // Keep the needs of the other settings small.
      const small = { messageBytesMax: 1, topicBytesMax: 1, membersMax: 1, roomListMax: 1, roomsMax: 1 };
      const value = other === "frameBytesMax" ? 65_536 : 10_000;
      const enough = least(value);
      const base: Settings = {
        ...DEFAULTS,
        ...small,
        ...(name === "outboxBytesMax" ? { frameBytesMax: 1_025 } : {}),
        [other]: value,
      };
      assert.equal(refusal({ [name]: enough }, base), undefined);
      const tooLittle = formatSetting(setting, enough - 1);
      const needed = `${Math.ceil(enough / 1_024)}KiB`;
      const known = formatSetting(otherSetting, value);
      const text = `Cannot use ${name} ${tooLittle}: with ${other} ${known} it must be at least ${needed}`;
      assert.equal(refusal({ [name]: enough - 1 }, base), text);
      const flags = Object.fromEntries(
        Object.keys({ ...small, frameBytesMax: 0, [other]: 0 }).map((key) => [key, String(base[key as SettingName])]),
      );
      await assert.rejects(loadConfig({ flags: { ...flags, [name]: String(enough - 1) } }), {
        name: "ConfigError",
        problems: [
          text.replace(":", ` (from ${flagOf(name)}):`).replace(" it must", ` (from ${flagOf(other)}) it must`),
        ],
      });
    });
  }

  test("names every invalid text and choice", () => {
    const wrong = { host: "", port: 65_536, hosts: ["http://a"], durability: "dsik", rates: true, data: "", pingMs: 0 };
    assert.deepEqual(refusal(wrong as unknown as Partial<Settings>)?.split("\n"), [
      'Cannot use host "": must be a text that is not empty',
      "Cannot use port 65536: not a port from 0 to 65535",
      'Cannot use hosts ["http://a"]: not names separated by commas, without http:// and port, such as chat.local,chat.example.com',
      'Cannot use data "": must be a text that is not empty',
      'Cannot use durability "dsik": not one of disk, process, memory',
      "Cannot use rates true: not one of on, off",
      "Cannot use pingMs 0: must be at least 1ms",
    ]);
  });
});

test("startServer() refuses invalid settings, and leaves nothing open", async () => {
  await assert.rejects(startServer({ port: 0, limits: { outboxBytesMax: 1 } }), {
    name: "RangeError",
    // One line for each setting, with the largest need and in whole KiB.
    message: "Cannot use outboxBytesMax 1: with frameBytesMax 64KiB it must be at least 260KiB",
  });
  await assert.rejects(startServer({ port: 0, silentMs: 0 }), RangeError);
  await assert.rejects(startServer({ port: 0, limits: { requestQueueMax: 0.5 } }), RangeError);
});

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
}

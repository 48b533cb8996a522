import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../test/seed.ts";
import type { SettingName } from "./check-settings.ts";
import { SETTINGS, type Setting } from "./config.ts";
import { DEFAULT_SETTINGS } from "./load-config.ts";
import { formatSetting, parseSetting } from "./setting-value.ts";

const DURATION: Setting = { kind: "duration", about: "" };
const SIZE: Setting = { kind: "size", about: "" };
const COUNT: Setting = { kind: "count", about: "" };
const RATE: Setting = { kind: "rate", about: "" };
const PORT: Setting = { kind: "port", about: "" };
const HOSTS: Setting = { kind: "hosts", about: "" };
const CHOICE: Setting = { kind: "choice", about: "", choices: ["on", "off"] };
const UNLIMITABLE: Setting = { ...COUNT, isUnlimitable: true };

function assertReads(setting: Setting, cases: readonly (readonly [raw: unknown, value: unknown])[]): void {
  for (const [raw, value] of cases) assert.deepEqual(parseSetting(setting, raw), value, String(raw));
}

function assertRefuses(setting: Setting, raws: readonly unknown[], message: RegExp): void {
  for (const raw of raws) {
    assert.throws(
      () => parseSetting(setting, raw),
      (error) => error instanceof RangeError && message.test(error.message),
      String(raw),
    );
  }
}

describe("parseSetting()", () => {
  test("parses durations", () => {
    assertReads(DURATION, [
      ["250ms", 250],
      ["30s", 30_000],
      ["1.5s", 1_500],
      ["5m", 300_000],
      ["12h", 43_200_000],
      ["7d", 604_800_000],
      [" 30 s ", 30_000],
      ["250", 250],
      [250, 250],
      ["0s", 0],
    ]);
    const wrong = [
      "soon",
      "",
      "-1s",
      "1e3",
      "30S",
      "1.5",
      "0.5ms",
      "5 min",
      1.5,
      -1,
      Number.NaN,
      null,
      true,
      [1],
      "unlimited",
    ];
    assertRefuses(DURATION, wrong, /^(?:not a duration such as 30s|must be at least 0ms)$/);
    assertReads(DURATION, [["2147483647ms", 2_147_483_647]]);
    assertRefuses(DURATION, ["2147483648ms", "25d"], /^must be at most 24d$/);
    assertReads({ ...DURATION, isLong: true, isUnlimitable: true }, [
      ["365d", 31_536_000_000],
      ["unlimited", Number.POSITIVE_INFINITY],
    ]);
    assertRefuses({ ...DURATION, min: 1 }, ["0s"], /^must be at least 1ms$/);
  });

  test("parses sizes", () => {
    assertReads(SIZE, [
      ["512", 512],
      [512, 512],
      ["512B", 512],
      ["64KiB", 65_536],
      ["64kib", 65_536],
      ["1MiB", 1_048_576],
      ["1.5 MiB", 1_572_864],
      ["1GiB", 1_073_741_824],
      ["64kB", 64_000],
      ["1MB", 1_000_000],
      ["2GB", 2_000_000_000],
    ]);
    assertRefuses(SIZE, ["big", "1K", "1TB", "KiB", "0.5", "-1", 0.5, {}], /^not a size such as 64KiB$/);
    assertRefuses(SIZE, ["0", 0], /^must be at least 1$/);
  });

  test("parses counts, rates and ports", () => {
    assertReads(COUNT, [
      ["10", 10],
      [10, 10],
    ]);
    assertRefuses(COUNT, ["ten", "1.5", "-1", "1e3", "0x10", 1.5, "unlimited"], /^not a whole number$/);
    assertRefuses(COUNT, ["0", 0, -1], /^must be at least 1$/);
    assertRefuses(COUNT, ["99999999999999999999"], /^must be at most \d+$|^not a whole number$/);
    assertReads(UNLIMITABLE, [
      ["unlimited", Number.POSITIVE_INFINITY],
      ["7", 7],
    ]);
    assertRefuses(UNLIMITABLE, ["Infinity", Number.POSITIVE_INFINITY], /^not a whole number or unlimited$/);
    assertReads(RATE, [
      ["50/s", 50],
      ["0.5", 0.5],
      [2, 2],
      ["unlimited", Number.POSITIVE_INFINITY],
    ]);
    assertRefuses(RATE, ["fast", "50/m", "-1"], /^not a rate such as 50\/s or unlimited$/);
    assertRefuses(RATE, ["0", 0], /^must be at least 0.001\/s$/);
    assertReads(PORT, [
      ["0", 0],
      ["65535", 65_535],
      [80, 80],
    ]);
    assertRefuses(PORT, ["65536", "-1", "http", "8.5", 8.5, -1, ""], /^not a port from 0 to 65535$/);
  });

  test("parses host names as browsers send them", () => {
    assertReads(HOSTS, [
      ["chat.local, Chat.Example.com", ["chat.local", "chat.example.com"]],
      [["bücher.example"], ["xn--bcher-kva.example"]],
      [[], []],
    ]);
    assertRefuses(
      HOSTS,
      ["", "a,", "http://a", "a:80", "a b", "a/b", ["a,b"], [1], 1],
      /^not names separated by commas/,
    );
  });

  test("parses texts and choices", () => {
    assertReads({ kind: "text", about: "" }, [[" ./data ", "./data"]]);
    assertRefuses({ kind: "text", about: "" }, ["", " ", 1, null], /^must be a text that is not empty$/);
    assertReads(CHOICE, [["on", "on"]]);
    assertRefuses(CHOICE, ["On", "", true], /^not one of on, off$/);
  });
});

describe("formatSetting()", () => {
  test("uses the largest unit that gives a whole number", () => {
    const durations = {
      0: "0ms",
      250: "250ms",
      1500: "1500ms",
      25000: "25s",
      60000: "1m",
      90000: "90s",
      604800000: "7d",
    };
    for (const [value, text] of Object.entries(durations)) assert.equal(formatSetting(DURATION, Number(value)), text);
    const sizes = { 512: "512", 1000: "1000", 65536: "64KiB", 1048576: "1MiB", 1572864: "1536KiB" };
    for (const [value, text] of Object.entries(sizes)) assert.equal(formatSetting(SIZE, Number(value)), text);
    assert.equal(formatSetting(RATE, 50), "50/s");
    assert.equal(formatSetting(HOSTS, []), "none");
    assert.equal(formatSetting(HOSTS, ["a", "b"]), "a,b");
    assert.equal(formatSetting(UNLIMITABLE, Number.POSITIVE_INFINITY), "unlimited");
  });

  test("writes what parseSetting() reads", () => {
    for (const setting of [DURATION, SIZE, COUNT, RATE]) {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (value) => {
          assert.equal(parseSetting(setting, formatSetting(setting, value)), value);
        }),
      );
    }
    for (const [name, setting] of Object.entries(SETTINGS)) {
      const value = DEFAULT_SETTINGS[name as SettingName];
      if (name !== "hosts") assert.deepEqual(parseSetting(setting, formatSetting(setting, value)), value, name);
    }
  });
});

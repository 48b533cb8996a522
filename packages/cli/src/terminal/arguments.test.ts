import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InvalidArgumentError } from "commander";
import { parseAddress, parseCount, parseDuration, parseListenPort, parsePort } from "./arguments.ts";

describe("parsePort()", () => {
  test("takes ports and nothing else", () => {
    assert.equal(parsePort("1"), 1);
    assert.equal(parsePort("65535"), 65_535);
    assert.equal(parseListenPort("0"), 0);
    for (const text of ["0", "65536", "-1", "1.5", "0x50", "", " 80", "http"]) {
      assert.throws(() => parsePort(text), InvalidArgumentError, text);
    }
    assert.throws(() => parseListenPort("65536"), InvalidArgumentError);
  });
});

describe("parseDuration()", () => {
  test("takes seconds and units", () => {
    const cases = { "2": 2_000, "0.5": 500, "500ms": 500, "2s": 2_000, "1m": 60_000, "1.5h": 5_400_000, "0": 0 };
    for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
    for (const text of ["", "s", "-1", "1d", "1 s", "1e3", "1000h"]) {
      assert.throws(() => parseDuration(text), InvalidArgumentError, text);
    }
  });
});

describe("parseAddress()", () => {
  test("takes a host with or without a port", () => {
    assert.deepEqual(parseAddress("example.com", 8083), { host: "example.com", port: 8083 });
    assert.deepEqual(parseAddress("example.com:80", 8083), { host: "example.com", port: 80 });
    assert.deepEqual(parseAddress("[::1]:80", 8083), { host: "::1", port: 80 });
    assert.deepEqual(parseAddress("[::1]", 8083), { host: "::1", port: 8083 });
    for (const text of ["", ":80", "::1", "a:b", "a:80:90", "a:0", "[::1", "a:99999"]) {
      assert.throws(() => parseAddress(text, 8083), InvalidArgumentError, text);
    }
  });

  test("must be told the port where there is no default", () => {
    assert.deepEqual(parseAddress("[::1]:80"), { host: "::1", port: 80 });
    for (const text of ["example.com", "[::1]"]) assert.throws(() => parseAddress(text), InvalidArgumentError, text);
  });
});

test("parseCount() takes whole numbers", () => {
  assert.equal(parseCount("0"), 0);
  for (const text of ["-1", "1.5", "x", ""]) assert.throws(() => parseCount(text), InvalidArgumentError, text);
});

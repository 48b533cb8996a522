import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isOwnHost, isOwnOrigin } from "./same-site.ts";

const HOSTS = ["chat.example", "10.9.8.7"];

describe("isOwnHost()", () => {
  const own = [
    "localhost",
    "localhost:8083",
    "LOCALHOST:1",
    "landline.localhost:8083",
    "127.0.0.1",
    "127.0.0.1:8083",
    "192.168.1.5:8083",
    "[::1]",
    "[::1]:8083",
    "chat.example",
    "Chat.Example:443",
  ];
  for (const authority of own) {
    test(`takes ${authority}`, () => assert.equal(isOwnHost(authority, HOSTS), true));
  }

  const strange = [
    undefined,
    "",
    ":8083",
    "evil.example",
    "evil.example:8083",
    "localhost.evil.example",
    "notlocalhost",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io:8083",
    "chat.example.evil.example",
    "xchat.example",
    "evil.example:80@127.0.0.1",
    "evil.example#127.0.0.1",
    "127.0.0.1:8083:evil",
    "0x7f000001",
    "2130706433",
    "[::1",
    "[evil.example]",
  ];
  for (const authority of strange) {
    test(`refuses ${authority}`, () => assert.equal(isOwnHost(authority, HOSTS), false));
  }
});

describe("isOwnOrigin()", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["http://localhost:8083", "localhost:8083", true],
    ["http://localhost:5173", "127.0.0.1:8083", true],
    ["http://127.0.0.1:8083", "localhost:8083", true],
    ["http://[::1]:8083", "localhost:8083", true],
    ["https://chat.example", "chat.example", true],
    ["HTTPS://CHAT.EXAMPLE", "127.0.0.1:8083", true],
    ["http://10.9.8.7", "localhost:8083", true],
    ["http://192.168.1.5:8083", "192.168.1.5:8083", true],
    // A page can be served from any address; only names can be rebound.
    ["http://203.0.113.6", "localhost:8083", false],
    ["http://203.0.113.6", "127.0.0.1:8083", false],
    ["http://192.168.1.6:8083", "192.168.1.5:8083", false],
    ["http://evil.example", "localhost:8083", false],
    ["http://localhost.evil.example", "localhost:8083", false],
    ["null", "localhost:8083", false],
    ["", "localhost:8083", false],
    ["file://", "localhost:8083", false],
    ["localhost", "localhost:8083", false],
    ["ftp://localhost", "localhost:8083", false],
    ["http://localhost/", "localhost:8083", false],
    ["http://evil.example/localhost", "localhost:8083", false],
    ["http://user@localhost", "localhost:8083", false],
    ["chrome-extension://abc", "localhost:8083", false],
  ];
  for (const [origin, authority, expected] of cases) {
    test(`${expected ? "takes" : "refuses"} ${origin || "nothing"} at ${authority}`, () => {
      assert.equal(isOwnOrigin(origin, authority, HOSTS), expected);
    });
  }
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isOwnHost, isOwnOrigin, targetOf } from "./same-site.ts";

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
    test(`accepts ${authority}`, () => assert.equal(isOwnHost(authority, HOSTS), true));
  }

  const strange = [
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
    "[localhost]",
    "[127.0.0.1]",
    "::1",
    "fe80::1:2",
    "localhost,evil.example",
    "localhost, localhost",
    "user@localhost",
    "localhost/",
    "local host",
  ];
  for (const authority of strange) {
    test(`refuses ${authority}`, () => assert.equal(isOwnHost(authority, HOSTS), false));
  }
});

describe("isOwnOrigin()", () => {
  const cases: readonly (readonly [origin: string, authority: string, withHosts: boolean, without?: boolean])[] = [
    ["http://localhost:8083", "localhost:8083", true],
    ["http://[::1]:8083", "[::1]:8083", true],
    ["http://192.168.1.5:8083", "192.168.1.5:8083", true],
    ["https://chat.example", "chat.example", true, true],
    // A proxy may ask for another host than the page came from. Only configured names pass.
    ["HTTPS://CHAT.EXAMPLE:8443", "127.0.0.1:8083", true, false],
    ["http://10.9.8.7", "localhost:8083", true, false],
    // Any page of this machine may use a server on this machine, and no other.
    ["http://localhost:5173", "127.0.0.1:8083", false, true],
    ["http://127.0.0.1:8083", "localhost:8083", false, true],
    ["http://[::1]:8083", "landline.localhost:8083", false, true],
    ["http://localhost:5173", "chat.example", false],
    ["http://127.0.0.1:8083", "chat.example", false],
    ["http://localhost:8083", "192.168.1.5:8083", false],
    ["http://localhost", "10.9.8.7", false],
    // A page can be served from any address, also from another port of this host.
    ["http://203.0.113.6", "localhost:8083", false],
    ["http://203.0.113.6", "127.0.0.1:8083", false],
    ["http://192.168.1.6:8083", "192.168.1.5:8083", false],
    ["http://192.168.1.5:3000", "192.168.1.5:8083", false],
    ["http://192.168.1.5", "192.168.1.5:8083", false],
    ["http://evil.example", "localhost:8083", false],
    ["http://localhost.evil.example", "localhost:8083", false],
    ["http://127.evil.example", "localhost:8083", false],
    ["null", "localhost:8083", false],
    ["", "localhost:8083", false],
    ["file://", "localhost:8083", false],
    ["localhost", "localhost:8083", false],
    ["localhost:8083", "localhost:8083", false],
    ["ftp://localhost", "localhost:8083", false],
    ["http://localhost/", "localhost:8083", false],
    ["http://evil.example/localhost", "localhost:8083", false],
    ["http://user@localhost", "localhost:8083", false],
    ["http://localhost, http://evil.example", "localhost:8083", false],
    ["chrome-extension://abc", "localhost:8083", false],
  ];
  for (const [origin, authority, withHosts, without = withHosts] of cases) {
    const name = `${origin || "nothing"} at ${authority}`;
    test(`${withHosts ? "accepts" : "refuses"} ${name} with configured names`, () => {
      assert.equal(isOwnOrigin(origin, authority, HOSTS), withHosts);
    });
    test(`${without ? "accepts" : "refuses"} ${name} without configured names`, () => {
      assert.equal(isOwnOrigin(origin, authority, []), without);
    });
  }
});

describe("targetOf()", () => {
  const target = (url: string, ...host: readonly string[]) =>
    targetOf({ url, headersDistinct: host.length === 0 ? {} : { host: [...host] } });

  const good: readonly (readonly [url: string, host: readonly string[], authority: string, path: string])[] = [
    ["/", ["localhost:8083"], "localhost:8083", "/"],
    ["/ws?a?b", ["LocalHost"], "localhost", "/ws"],
    ["*", ["[::1]:8083"], "[::1]:8083", "*"],
    ["http://localhost:8083/healthz?x", ["localhost:8083"], "localhost:8083", "/healthz"],
    ["HTTP://LOCALHOST/", ["localhost"], "localhost", "/"],
    ["http://localhost/", [], "localhost", "/"],
    ["//localhost/", ["localhost"], "localhost", "//localhost/"],
  ];
  for (const [url, host, authority, path] of good) {
    test(`reads ${url} of ${host.join() || "no Host"}`, () =>
      assert.deepEqual(target(url, ...host), { authority, path }));
  }

  const bad: readonly (readonly [url: string, ...host: readonly string[]])[] = [
    ["/"],
    ["/", ""],
    ["/", "localhost", "localhost"],
    ["/", "localhost", "evil.example"],
    ["/", "localhost, evil.example"],
    ["/", "localhost,localhost"],
    ["/", "user@localhost"],
    ["/", "http://localhost"],
    ["/", "localhost/"],
    ["/", "local host"],
    ["/", "localhost:8083:1"],
    ["/", "[::1"],
    ["http://evil.example/", "localhost"],
    ["http://localhost:8083/", "localhost"],
    ["http://user@localhost/", "localhost"],
    ["http://user@localhost/", "user@localhost"],
    ["http:///", ""],
    ["http://localhost/", "localhost", "localhost"],
  ];
  for (const [url, ...host] of bad) {
    test(`refuses ${url} of ${host.join(" and ") || "no Host"}`, () => assert.equal(target(url, ...host), undefined));
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { everyAddressLine, formatServices, localAddress } from "./service-lines.ts";

test("formatServices() aligns one line for each service", () => {
  const saved = process.env.npm_lifecycle_event;
  delete process.env.npm_lifecycle_event;
  const text = formatServices([
    { at: "http://localhost:8083/", name: "chat", tries: ["chat", "$ nc localhost 8083"] },
    { at: { host: "::1", port: 80 }, name: "TCP echo", tries: ["connect ::1 80"] },
  ]);
  if (saved !== undefined) process.env.npm_lifecycle_event = saved;
  assert.equal(
    text,
    [
      "http://localhost:8083/  chat      try: landline chat  or  nc localhost 8083",
      "[::1]:80                TCP echo  try: landline connect ::1 80",
    ].join("\n"),
  );
});

test("localAddress() and everyAddressLine() know what stands for every address", () => {
  for (const host of ["0.0.0.0", "::"]) {
    assert.deepEqual(localAddress({ host, port: 80 }), { host: "localhost", port: 80 });
    assert.match(everyAddressLine(host) ?? "", new RegExp(`^Listening on all .*addresses.* \\(${host}\\)$`));
  }
  for (const host of ["localhost", "127.0.0.1", "::1"]) {
    assert.deepEqual(localAddress({ host, port: 80 }), { host, port: 80 });
    assert.equal(everyAddressLine(host), undefined);
  }
});

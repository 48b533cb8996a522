import assert from "node:assert/strict";
import { test } from "node:test";
import { formatServices } from "./service-lines.ts";

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

import assert from "node:assert/strict";
import { test } from "node:test";
import { usageText } from "./usage-text.ts";

test("usageText() says in plain words what cannot be used, and leaves other texts alone", () => {
  const cases = {
    "error: command-argument value 'it's' is invalid for argument 'port'. a port is a number\n":
      "landline: Cannot use 'it's' for port: a port is a number\n",
    "error: option '-m, --max-time <time>' argument 'soon' is invalid. a time is a number\n":
      "landline: Cannot use 'soon' for --max-time: a time is a number\n",
    "error: option '--port <port>' argument '' is invalid. a port\n": "landline: Cannot use '' for --port: a port\n",
    "error: unknown option '--bogus'\n": "landline: unknown option '--bogus'\n",
    "Usage: landline\n": "Usage: landline\n",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(usageText(text), expected);
});

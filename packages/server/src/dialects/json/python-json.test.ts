import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { skipWithoutPython } from "../../../../../test/programs.ts";
import { fc } from "../../../../../test/seed.ts";
import { parseExactly, pythonNumber, toStrictJson } from "./python-json.ts";

const digits = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: length });
const whole = fc.oneof(
  fc.constant("0"),
  digits(25).map((text) => text.replace(/^0+(?=.)/, "")),
);
const number = fc
  .tuple(fc.constantFrom("", "-"), whole, fc.option(digits(20)), fc.option(fc.integer({ min: -330, max: 330 })))
  .map(([sign, head, fraction, power]) => {
    const exponent = power === null ? "" : `e${power}`;
    return `${sign}${head}${fraction === null ? "" : `.${fraction}`}${exponent}`;
  });

/** Python's output for each line. */
function python(program: string, lines: readonly string[]): readonly string[] {
  const script = `import json, sys\nfor line in sys.stdin:\n    ${program}`;
  const { stdout, stderr } = spawnSync("python3", ["-c", script], { input: lines.join("\n"), encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout.trimEnd().split("\n");
}

test("pythonNumber() prints numbers as Python does", { skip: skipWithoutPython() }, () => {
  const edges = [
    "1e16",
    "1e15",
    "9999999999999998.0",
    "1e-4",
    "1e-5",
    "0.0001",
    "1.0",
    "1E5",
    "5e-324",
    "1e400",
    "-1e400",
  ];
  const numbers = [...edges, ...fc.sample(number, 5_000)].filter((text) => Number(text) !== 0);
  const printed = python("print(json.loads(line))", numbers);
  for (const [i, text] of numbers.entries()) assert.equal(pythonNumber(text), printed[i], text);
});

test("toStrictJson() changes nothing in Python's output except its three words", { skip: skipWithoutPython() }, () => {
  const word = fc.constantFrom("NaN", "Infinity", "-Infinity");
  const leaf = fc.oneof(
    word,
    number,
    fc.string().map((text) => JSON.stringify(text)),
    word.map((text) => JSON.stringify(text)),
  );
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }).map((items) => `[${items.join(", ")}]`),
      fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 4 }).map((items) => {
        return `{${items.map(([key, item]) => `${JSON.stringify(key)} :\t${item}`).join(",")}}`;
      }),
    ),
  }));
  const texts = fc.sample(value, 2_000).map((text) => text.replaceAll(/[\u0080-\uffff]/g, "?"));
  const read = texts.map((text) => JSON.stringify(parseExactly(toStrictJson(text))));
  const hooks = "parse_constant=str, parse_float=lambda text: float(text)";
  const program = `a, b = line.rstrip("\\n").split("\\x1f"); print(json.loads(a, ${hooks}) == json.loads(b, ${hooks}))`;
  const same = python(
    program,
    texts.map((text, i) => `${text}\x1f${read[i]}`),
  );
  for (const [i, text] of texts.entries()) assert.equal(same[i], "True", text);
});

test("toStrictJson() takes a text of any length", () => {
  const long = "a".repeat(20_000_000);
  for (const text of [`["${long}", `, `["${'\\"'.repeat(2_000_000)}", `, `[${" ".repeat(20_000_000)}`]) {
    assert.equal(toStrictJson(`${text}NaN]`) === `${text}"NaN"]`, true);
  }
  assert.equal(toStrictJson(`["${long}NaN`) === `["${long}NaN`, true);
});

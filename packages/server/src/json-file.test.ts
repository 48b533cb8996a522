import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonSyntaxError, parseJson } from "./json-file.ts";

test("parseJson() names line and column of the first mistake", () => {
  assert.deepEqual(parseJson('{"a": [1, "é"]}'), { a: [1, "é"] });
  const cases = {
    "": "line 1 column 1, before its end",
    x: 'line 1 column 1, before "x"',
    '{"a": 1': "line 1 column 8, before its end",
    '{"a": "b': "line 1 column 9, before its end",
    '{"a": 1,}': 'line 1 column 9, before "}"',
    '{\n  "a": 1\n  "b": 2\n}': 'line 3 column 3, before "\\""',
    '{\n "a": 1, // no\n "b": 2}': 'line 2 column 10, before "/"',
    '{"a": tru}': 'line 1 column 10, before "}"',
    "{'a': 1}": 'line 1 column 2, before "\'"',
    '{"a": "b\nc"}': 'line 1 column 9, before "\\n"',
    "{} {}": 'line 1 column 4, before "{"',
    "[1e, 2]": 'line 1 column 4, before ","',
  };
  for (const [text, place] of Object.entries(cases)) {
    assert.throws(
      () => parseJson(text),
      (error) => {
        assert.ok(error instanceof JsonSyntaxError);
        assert.equal(error.message, `not JSON at ${place}`, text);
        return true;
      },
    );
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { draftOf, readDraft } from "./draft.ts";

test("readDraft() never posts what is meant as a command", () => {
  for (const draft of ["/nick ada", "  /quit  ", "/", "/msg\nbob secret", "/home/ada/notes.txt is gone"]) {
    assert.deepEqual(readDraft(draft), { kind: "like-a-command" });
  }
});

test("readDraft() posts a text, and with // one that begins with /", () => {
  assert.deepEqual(readDraft("  hello\nthere "), { kind: "say", text: "hello\nthere" });
  assert.deepEqual(readDraft("//etc/hosts"), { kind: "say", text: "/etc/hosts" });
  assert.deepEqual(readDraft("and/or"), { kind: "say", text: "and/or" });
  assert.deepEqual(readDraft(" \n "), { kind: "nothing" });
});

test("draftOf() gives a text back as it was written", () => {
  for (const text of ["hello", "/etc/hosts", "//etc/hosts", "/", "a // b", "/one\n/two"]) {
    assert.deepEqual(readDraft(draftOf(text)), { kind: "say", text });
  }
});

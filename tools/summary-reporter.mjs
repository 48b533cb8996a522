// A reporter for node:test that says at the end what was skipped and why, and last `N passed, N failed, N skipped`. A suite
// that is skipped as a whole counts as one that was skipped: node:test does not say how many tests it has.

export default async function* summary(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.skip !== undefined) {
      skipped += 1;
      const what = data.details?.type === "suite" ? "the whole of " : "";
      yield `skipped: ${what}${data.name} (${data.skip === true ? "no reason given" : data.skip})\n`;
      continue;
    }
    // Suites are only their tests.
    if (data.details?.type === "suite") continue;
    if (type === "test:pass") passed += 1;
    else failed += 1;
  }
  yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

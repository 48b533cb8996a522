// A reporter for node:test. It lists the skipped tests with their reasons, then `N passed, N failed, N skipped`. A skipped
// suite counts as one skipped test: node:test does not report how many tests it contains.

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
    // Count tests, not suites.
    if (data.details?.type === "suite") continue;
    if (type === "test:pass") passed += 1;
    else failed += 1;
  }
  yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

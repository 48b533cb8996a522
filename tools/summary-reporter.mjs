// A reporter for node:test that says at the end what was skipped and why, and last `N passed, N failed, N skipped`.

export default async function* summary(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    // Suites are only their tests.
    if (data.details?.type === "suite") continue;
    if (data.skip !== undefined) {
      skipped += 1;
      yield `skipped: ${data.name} (${data.skip === true ? "no reason given" : data.skip})\n`;
    } else if (type === "test:pass") passed += 1;
    else failed += 1;
  }
  yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

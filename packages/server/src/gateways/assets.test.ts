import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { acceptsGzip, loadAssets } from "./assets.ts";

test("loadAssets() compresses a file if that makes it smaller, and gives each form its own etag", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "landline-assets-"));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "assets"));
  const script = "console.log('again and again');\n".repeat(100);
  await writeFile(join(folder, "index.html"), "<p>x");
  await writeFile(join(folder, "assets", "a.js"), script);
  await writeFile(join(folder, "notes.txt"), "not served");
  const assets = await loadAssets(folder);
  assert.deepEqual([...assets.keys()].sort(), ["/", "/assets/a.js"]);
  assert.equal(assets.get("/")?.gzip, undefined);
  const asset = assets.get("/assets/a.js");
  assert.equal(String(asset?.bytes), script);
  assert.equal(String(gunzipSync(asset?.gzip?.bytes ?? "")), script);
  assert.notEqual(asset?.gzip?.etag, asset?.etag);
  assert.equal(asset?.isImmutable, true);
});

test("acceptsGzip() parses Accept-Encoding as in RFC 9110, section 12.5.3", () => {
  for (const accepted of [
    "gzip",
    "gzip, deflate, br",
    "br;q=1, GZIP;q=0.5",
    "*",
    "x-gzip",
    "deflate , gzip ;q=1.000",
    "*;q=0, gzip",
  ]) {
    assert.equal(acceptsGzip(accepted), true, accepted);
  }
  for (const refused of [
    undefined,
    "",
    "identity",
    "br",
    "gzip;q=0",
    "gzip;q=0.000",
    "*, gzip;q=0",
    "gzipped",
    "gzip;q=x",
  ]) {
    assert.equal(acceptsGzip(refused), false, refused);
  }
});

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

/** A representation of a file (RFC 9110, section 3.2). */
export interface AssetContent {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** A file of the web page, in memory. */
export interface Asset extends AssetContent {
  readonly type: string;
  /** Compressed form, if it is smaller. */
  readonly gzip?: AssetContent | undefined;
  /** The name contains a hash of the content, so the file never changes. */
  readonly isImmutable: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".webmanifest": "application/manifest+json",
};

/** Reads the built web page into memory, by URL path. A missing folder gives no files. */
export async function loadAssets(folder: string): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>();
  let names: string[];
  try {
    names = await readdir(folder, { recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return assets;
    throw error;
  }
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const file = join(folder, name);
    const bytes = await readFile(file);
    const path = `/${relative(folder, file).split(sep).join("/")}`;
    const compressed = gzipSync(bytes, { level: 9 });
    const asset: Asset = {
      ...contentOf(bytes),
      type,
      gzip: compressed.length < bytes.length ? contentOf(compressed) : undefined,
      isImmutable: path.startsWith("/assets/"),
    };
    assets.set(path === "/index.html" ? "/" : path, asset);
  }
  return assets;
}

/** Whether gzip is acceptable (RFC 9110, section 12.5.3). */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const weights = new Map(
    (acceptEncoding ?? "").split(",").map((each) => {
      const [coding = "", weight = "q=1"] = each.toLowerCase().split(";");
      return [coding.trim(), Number(/^\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$/.exec(weight)?.[1] ?? 0)];
    }),
  );
  return (weights.get("gzip") ?? weights.get("x-gzip") ?? weights.get("*") ?? 0) > 0;
}

function contentOf(bytes: Buffer): AssetContent {
  return { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
}

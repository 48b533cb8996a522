import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";

/** A file of the web page, in memory. */
export interface Asset {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
  /** Its name has a hash of its content, so that it never changes. */
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

/** Reads the built page into memory, by URL path. A folder that is not there gives no files. */
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
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
    const asset: Asset = { bytes, type, etag, isImmutable: path.startsWith("/assets/") };
    assets.set(path === "/index.html" ? "/" : path, asset);
  }
  return assets;
}

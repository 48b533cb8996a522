import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { Address } from "../address.ts";
import { Connection, connect, listen } from "../tcp/mod.ts";
import { type ConnectionPair, type ConnectionPairOptions, pairOf } from "./connection-pair.ts";
import { connectionSuite } from "./connection-suite.ts";
import { memoryPair } from "./memory-pair.ts";
import { MemoryStream } from "./memory-stream.ts";
import { roughLink } from "./rough-link.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");
const key = fixture("localhost-key.pem");
const folder = mkdtempSync(join(tmpdir(), "landline-"));
after(() => rmSync(folder, { recursive: true }));

interface Route {
  readonly path?: string;
  readonly tls?: boolean;
  /** The seed of a rough link in between, if any. */
  readonly roughSeed?: number;
}

/** Connects over this route. The listener and the link close with the pair. */
function over({ path, tls = false, roughSeed }: Route): (options?: ConnectionPairOptions) => Promise<ConnectionPair> {
  return async ({ client, server } = {}) => {
    const where = path === undefined ? { host: "127.0.0.1" } : { path };
    const listener = await listen({ ...where, ...server, ...(tls ? { tls: { cert, key } } : {}) });
    const around: AsyncDisposable[] = [listener];
    let to: Address = listener.address;
    if (roughSeed !== undefined) {
      const link = await roughLink({ to, seed: roughSeed, pieceBytesMax: 65_536 });
      around.unshift(link);
      to = link.address;
    }
    const ends = [connect({ ...to, ...client, ...(tls ? { tls: { ca: cert } } : {}) }), listener.accept()] as const;
    return pairOf(...(await Promise.all(ends)), around);
  };
}

/** Like many streams: it closes for writing when reading ends. */
function endingTogether({ client, server }: ConnectionPairOptions = {}): ConnectionPair {
  const [one, other] = MemoryStream.pair(65_536);
  one.allowHalfOpen = false;
  other.allowHalfOpen = false;
  return pairOf(new Connection(one, client), new Connection(other, server));
}

connectionSuite("memoryPair()", memoryPair);
connectionSuite("memoryPair() with small buffers", (options) => memoryPair({ ...options, bufferBytes: 1_000 }));
connectionSuite("a stream without half-close", endingTogether, { halfClose: false });
connectionSuite("TCP", over({}));
connectionSuite("TLS", over({ tls: true }));
connectionSuite("TCP through a rough link", over({ roughSeed: 1 }));
connectionSuite("TLS through a rough link", over({ tls: true, roughSeed: 2 }));
// Windows has named pipes instead of Unix sockets.
if (process.platform !== "win32") {
  connectionSuite("a Unix socket", over({ path: join(folder, "suite.sock") }), { reset: false });
}

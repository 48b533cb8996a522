import type { Socket } from "node:net";

/** File descriptors that accepted connections leave free for files, name lookups and outgoing connections. */
const DESCRIPTORS_RESERVED = 16;

/** Parts of `process.report` that `@types/node` does not declare. */
interface Report {
  excludeNetwork: boolean;
  getReport(): { readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } } };
}

let limit: number | undefined;

/**
 * Returns an error when the accepted socket has one of the last file descriptors of this process, else `undefined`. The
 * kernel assigns the lowest free number, so a high number means that nearly all are taken.
 *
 * The check must come before the last one is used. Without a free descriptor libuv closes waiting connections silently:
 * no error, and no `drop` event. Windows has neither these numbers nor this limit.
 */
export function descriptorShortage(socket: Socket): Error | undefined {
  const { _handle: handle } = socket as { _handle?: { fd?: number } | null };
  const descriptor = handle?.fd ?? -1;
  if (descriptor < 0) return undefined;
  limit ??= descriptorLimit();
  if (descriptor < limit - DESCRIPTORS_RESERVED) return undefined;
  return Object.assign(new Error(`the process has nearly all of its ${limit} file descriptors open`), {
    code: "EMFILE",
  });
}

/** The soft limit. Node raises it to the hard limit at startup. */
function descriptorLimit(): number {
  const report = process.report as unknown as Report;
  const { excludeNetwork } = report;
  // Without this the report does a blocking reverse lookup of every peer.
  report.excludeNetwork = true;
  try {
    const soft = Number(report.getReport().userLimits?.open_files?.soft);
    return Number.isNaN(soft) ? Number.POSITIVE_INFINITY : soft;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

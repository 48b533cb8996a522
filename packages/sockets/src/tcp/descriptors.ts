import type { Socket } from "node:net";

/** Descriptors that accepted connections leave to everything else: files, name lookups, connections of our own. */
const DESCRIPTORS_RESERVED = 16;

/** What the types do not know yet. */
interface Report {
  excludeNetwork: boolean;
  getReport(): { readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } } };
}

let limit: number | undefined;

/**
 * The error for an accepted socket that got one of the last descriptors of this process; `undefined` where there are
 * enough. The kernel gives the lowest number that is free, so a high one says that nearly all are taken.
 *
 * It must be noticed while some are left. With none libuv closes the connections that wait and tells nobody, neither by
 * an error nor by Node's `drop` event. Windows has no such numbers, and no such limit.
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

/** The soft limit, which Node raises as far as it may when it starts. */
function descriptorLimit(): number {
  const report = process.report as unknown as Report;
  const { excludeNetwork } = report;
  // Otherwise the report looks up the name of every peer, and waits for it.
  report.excludeNetwork = true;
  try {
    const soft = Number(report.getReport().userLimits?.open_files?.soft);
    return Number.isNaN(soft) ? Number.POSITIVE_INFINITY : soft;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

import { getSystemErrorMessage } from "node:util";

/** Why a call to the system failed, in its own words: `no such file or directory`. */
export function systemReason(error: Error): string {
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error.message : getSystemErrorMessage(errno);
}

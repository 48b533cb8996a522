import { getSystemErrorMessage } from "node:util";

/** The system's text for a failed call: `no such file or directory`. */
export function systemReason(error: Error): string {
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error.message : getSystemErrorMessage(errno);
}

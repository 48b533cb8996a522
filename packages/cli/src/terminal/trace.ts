import diagnostics from "node:diagnostics_channel";
import { type Address, formatAddress, STATE_CHANNELS, type StateChange } from "@landline/sockets";
import { note } from "./notes.ts";
import { safeLine } from "./safe-text.ts";

/** Prints every socket state change from now on. */
export function startTrace(): void {
  for (const channel of STATE_CHANNELS) {
    const kind = channel.slice(channel.indexOf(":") + 1);
    diagnostics.subscribe(channel, (change) => note(formatStateChange(kind, change as StateChange)));
  }
}

/** Formats a change as one line: time, socket, states, addresses, reason. */
export function formatStateChange(kind: string, { id, from, to, at, local, remote, reason }: StateChange): string {
  const socket = `${kind} #${id}`.padEnd(15);
  const addresses = remote === undefined ? where(local) : `${where(local)} -> ${where(remote)}`;
  const why = reason === undefined ? "" : `  (${safeLine(reason)})`;
  return `${timeOf(at)}  ${socket}  ${from.padStart(18)} -> ${to.padEnd(18)}  ${addresses}${why}`;
}

function where(address: Address | undefined): string {
  return address === undefined ? "?" : formatAddress(address);
}

function timeOf(at: number): string {
  const time = new Date(at);
  const [hours, minutes, seconds] = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits);
  return `${hours}:${minutes}:${seconds}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

import { SocketError } from "@landline/sockets";
import { CommandFailed } from "./exit.ts";

/**
 * Waits until something listens. When its address is in use, adds to the error how to choose another port.
 *
 * @param option the option that sets the port; absent when the port is an argument.
 * @throws {CommandFailed} when the address is in use.
 */
export async function orOtherPort<Opened>(opening: Promise<Opened>, option?: string): Promise<Opened> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof SocketError) || error.code !== "address-in-use") throw error;
    throw new CommandFailed(`${error.message}; ${wayOut(option)}, 0 takes a free one`, { cause: error });
  }
}

function wayOut(option: string | undefined): string {
  if (option === undefined) return "give another port";
  // npm consumes options before `--`.
  const inScript = process.env.npm_lifecycle_event === "start" ? `npm start -- ${option} N` : option;
  return `use ${inScript} to choose another`;
}

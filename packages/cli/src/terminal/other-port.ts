import { SocketError } from "@landline/sockets";
import { CommandFailed } from "./exit.ts";

/**
 * Waits for something that begins to listen, and where its address is in use, says how to choose another port.
 *
 * @param option The option that names the port; absent where it is an argument of its own.
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
  // What npm is given before `--` it keeps for itself.
  const inScript = process.env.npm_lifecycle_event === "start" ? `npm start -- ${option} N` : option;
  return `use ${inScript} to choose another`;
}

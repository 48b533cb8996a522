import { type Connection, type Server, serve, type UdpAddress } from "@landline/sockets";
import { WholeCharacters } from "./whole-characters.ts";

const PREFIX = "Echo: ";
const EVENTS_PREFIX = "Non-blocking echo: ";

/** Answers each message with `Echo: ` and the message. One async function per connection; the tutorial uses a thread. */
export function serveEcho(address: UdpAddress): Promise<Server> {
  return serve(address, async (connection, signal) => {
    const characters = new WholeCharacters();
    for (let chunk = await connection.read({ signal }); chunk !== null; chunk = await connection.read({ signal })) {
      const message = characters.take(chunk);
      if (message.length > 0) await connection.write([PREFIX, message], { signal });
    }
    if (characters.rest().length > 0) await connection.write([PREFIX, characters.rest()], { signal });
  });
}

/** Answers with `Non-blocking echo: ` and the message. Uses event handlers; the tutorial uses a `select` loop. */
export function serveEventsEcho(address: UdpAddress): Promise<Server> {
  const charactersOf = new WeakMap<Connection, WholeCharacters>();
  return serve(address, {
    open(connection) {
      charactersOf.set(connection, new WholeCharacters());
    },
    data(connection, chunk) {
      const message = charactersOf.get(connection)?.take(chunk) ?? chunk;
      // Backpressure: stop reading from a client that does not read its answers.
      if (message.length > 0 && !connection.send([EVENTS_PREFIX, message])) connection.pause();
    },
    drain(connection) {
      connection.resume();
    },
    end(connection) {
      const rest = charactersOf.get(connection)?.rest();
      if (rest !== undefined && rest.length > 0) connection.send([EVENTS_PREFIX, rest]);
      connection.closeWrite();
    },
  });
}

import { type Connection, framed, json, type Server, serve } from "@landline/sockets";
import { HELLO_LIMITS } from "./hello-limits.ts";

/** A request as far as a script needs it. */
export interface ScriptedRequest {
  readonly type: string;
  readonly id?: string;
}

/** Sends one message to the client. It may be any JSON object. */
export type Say = (message: object) => Promise<void>;

/** Answers every request except `hello`. */
export type ChatScript = (say: Say, request: ScriptedRequest, connection: Connection) => Promise<void>;

/** Starts a chat server that gives each client the name `username`, sends no pings, and otherwise follows `script`. */
export function scriptedChat(username: string, script: ChatScript): Promise<Server> {
  const limits = { ...HELLO_LIMITS, pingMs: 0 };
  return serve({}, async (connection) => {
    const channel = framed(connection, json());
    const say: Say = (message) => channel.write(message);
    for await (const request of channel as AsyncIterable<ScriptedRequest>) {
      if (request.type !== "hello") await script(say, request, connection);
      else await say({ type: "hello", version: 2, session: "s", username, limits });
    }
  });
}

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChatClient, type ChatClientEvent } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import { roughLink } from "@landline/sockets/testing";
import { portOf, TestServer } from "./chat-server.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";

failOnLeaks();

/** Resolves with the next event of this type. */
function heard<Type extends ChatClientEvent["type"]>(
  client: ChatClient,
  type: Type,
): Promise<Extract<ChatClientEvent, { type: Type }>> {
  return new Promise((resolve) => {
    const remove = client.on((event) => {
      if (event.type !== type) return;
      remove();
      resolve(event as Extract<ChatClientEvent, { type: Type }>);
    });
  });
}

/** Reads and answers pings until this many members have left. */
async function untilLeft(client: RawClient, count: number): Promise<ReadonlySet<unknown>> {
  const left = new Set<unknown>();
  while (left.size < count) {
    const message = await client.next();
    if (message.type === "ping") client.send({ type: "pong" });
    if (message.type === "presence" && message.state === "left") left.add(message.username);
  }
  return left;
}

describe("a client whose network is cut without a FIN", { timeout: 300_000 }, () => {
  test("resumes at the first attempt with its name and all missed messages, unnoticed by the room", async () => {
    await using server = await TestServer.start();
    await using network = await roughLink({ to: { host: "127.0.0.1", port: server.port } });
    const ada = await server.member("Ada", "lobby");
    // Bob notices the cut by `ackTimeoutMs`. It is long enough for a busy machine with a working network.
    const link = tcpLink({ host: "127.0.0.1", port: portOf(network.address) });
    await using bob = new ChatClient(link, { username: "Bob", backoffMinMs: 1, ackTimeoutMs: 3_000 });
    const states: string[] = [];
    bob.on((event) => {
      if (event.type === "state") states.push(event.retryAtMs === undefined ? event.state : "waiting");
      else if (event.type === "dropped" || event.type === "error" || event.type === "bye") states.push(event.type);
    });
    await bob.connect();
    await bob.join("lobby");
    await ada.nextWith("type", "presence");
    for (const round of ["first", "second"]) {
      states.length = 0;
      network.cut();
      const rejoined = heard(bob, "rejoined");
      const doubtful = bob.chat("lobby", `${round} from Bob`);
      ada.send({ type: "chat", id: round, room: "lobby", message: `${round} from Ada` });
      assert.equal((await ada.next()).type, "ack");
      const { missed, recovered, joined } = await rejoined;
      const { seq, duplicate } = await doubtful;
      // The link broke once, and one attempt was enough.
      assert.deepEqual(states, ["waiting", "connecting", "online"], `${network}`);
      assert.equal(recovered, true);
      assert.deepEqual(joined.members, ["Ada", "Bob"]);
      assert.deepEqual(
        missed.map(({ message }) => message),
        [`${round} from Ada`],
      );
      const told = await ada.next();
      assert.deepEqual([told.type, told.message, told.seq], ["chat", `${round} from Bob`, seq]);
      assert.equal(duplicate, undefined, "the message had arrived before the cut");
    }
  });
});

describe("200 clients that disappear at once", { timeout: 300_000 }, () => {
  test("leave no member in who, and free their names", async () => {
    await using server = await TestServer.start({ limits: { pingMs: 200, pongMs: 200, awayMs: 200, resumeMs: 200 } });
    await using network = await roughLink({ to: { host: "127.0.0.1", port: server.port } });
    const observer = await server.member("Observer", "lobby");
    const names = Array.from({ length: 200 }, (_, index) => `user${index}`);
    const left = untilLeft(observer, names.length);
    const clients = await Promise.all(
      names.map(async (username, index) => {
        const client = await RawClient.open(index % 2 === 0 ? server.port : portOf(network.address));
        client.send({ type: "hello", version: 2, username }, { type: "join", id: "join", room: "lobby" });
        await client.nextWith("id", "join");
        return client;
      }),
    );
    // Half of them reset. The network of the others is cut without a FIN.
    for (const [index, { socket }] of clients.entries()) if (index % 2 === 0) socket.resetAndDestroy();
    network.cut();
    assert.deepEqual(await left, new Set(names));
    observer.send({ type: "who", id: "who", room: "lobby" });
    const { members, count } = await observer.nextWith("id", "who");
    assert.deepEqual([members, count], [["Observer"], 1]);
    for (const name of names.slice(0, 2)) await server.member(name, "lobby");
    await Promise.all(clients.map((client) => client.reset()));
  });
});

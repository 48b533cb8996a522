/**
 * Wire formats, tried with a dialect like IRC: it names the recipient in its answers, makes any number of lines of an
 * event, and has capabilities that a client negotiates at any time.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeLink, HubFixture } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { fc } from "../../../../test/seed.ts";
import { idle } from "../../../../test/until.ts";
import type { Connection, Encoder, Entry, Framing, Incoming, Texts } from "./mod.ts";

failOnLeaks();

const crlf: Framing = {
  name: "crlf",
  frame: (text) => Buffer.from(`${text}\r\n`),
  batch(texts) {
    let end = 0;
    const ends = texts.map((text) => {
      end += Buffer.byteLength(text) + 2;
      return end;
    });
    return { bytes: Buffer.from(texts.map((text) => `${text}\r\n`).join("")), ends };
  },
};

/** Encodes like IRC. A message of several lines is several texts; one without a line is none. */
function irc(...capabilities: readonly string[]): Encoder {
  const hasTime = capabilities.includes("server-time");
  const tagOf = ({ at }: Entry) => (hasTime ? `@time=${new Date(at).toISOString()} ` : "");
  const event: Encoder["event"] = (event, room) => {
    if (event.type === "typing" || event.type === "resync") return undefined;
    if (event.type === "presence") return `:${event.name} ${event.state === "joined" ? "JOIN" : "PART"} #${room}`;
    const { entry } = event;
    const from = `${tagOf(entry)}:${entry.author.name}`;
    if (entry.kind === "set")
      return entry.changes.has("topic") ? `${from} TOPIC #${room} :${entry.changes.get("topic")}` : undefined;
    if (entry.kind === "kick") return `${from} KICK #${room} ${entry.user.name} :${entry.reason}`;
    const lines = entry.text.split("\n").filter((line) => line !== "");
    return lines.map((line) => `${from} PRIVMSG #${room} :${line}`);
  };
  return {
    dialect: "irc",
    capabilities,
    event,
    own: (said, room) => (capabilities.includes("echo-message") ? event(said, room) : undefined),
    answer(answer, { username: nick = "*" }): Texts {
      switch (answer.type) {
        case "joined":
          return [
            `:${answer.username} JOIN #${answer.room}`,
            `:server 353 ${nick} = #${answer.room} :${answer.members.join(" ")}`,
            `:server 366 ${nick} #${answer.room} :End of names`,
          ];
        case "format":
          return `:server CAP ${nick} ACK :${answer.capabilities.join(" ")}`;
        case "refusal":
          return `:server 400 ${nick} ${answer.code} :${answer.message}`;
        case "history":
          return answer.entries.flatMap((entry) => {
            const texts = event({ type: "entry", entry, origin: undefined }, answer.room);
            return typeof texts === "string" ? [texts] : (texts ?? []);
          });
        default:
          return undefined;
      }
    },
  };
}

/** A client that speaks IRC. */
class IrcClient {
  readonly link = new FakeLink();
  readonly connection: Connection;
  #read = 0;

  constructor({ hub }: HubFixture, ...capabilities: readonly string[]) {
    this.connection = hub.connect(this.link, { encoder: irc(), framing: crlf });
    if (capabilities.length > 0) this.ask({ type: "format", encoder: irc(...capabilities) });
  }

  static async joined(fixture: HubFixture, username: string, ...capabilities: readonly string[]): Promise<IrcClient> {
    const client = new IrcClient(fixture, ...capabilities);
    await client.hear({ type: "join", room: "lobby", username });
    return client;
  }

  ask(...requests: readonly Incoming[]): void {
    for (const request of requests) this.connection.receive(request);
  }

  take(): readonly string[] {
    const text = Buffer.concat(this.link.sent.slice(this.#read)).toString();
    this.#read = this.link.sent.length;
    return text.split("\r\n").slice(0, -1);
  }

  async hear(...requests: readonly Incoming[]): Promise<readonly string[]> {
    this.ask(...requests);
    await idle();
    return this.take();
  }
}

const chat = (message: string): Incoming => ({ type: "chat", message });
const change = (...capabilities: readonly string[]): Incoming => ({ type: "format", encoder: irc(...capabilities) });

describe("WireFormat", () => {
  test("names the recipient in answers, and makes several texts of one", async () => {
    const fixture = new HubFixture();
    const ada = new IrcClient(fixture);
    assert.deepEqual(await ada.hear({ type: "topic", room: "lobby" }), [
      ":server 400 * not-joined :Join the room first",
    ]);
    assert.deepEqual(await ada.hear({ type: "join", room: "lobby", username: "Ada" }), [
      ":Ada JOIN #lobby",
      ":server 353 Ada = #lobby :Ada",
      ":server 366 Ada #lobby :End of names",
    ]);
    const bob = new IrcClient(fixture);
    assert.equal(
      (await bob.hear({ type: "join", room: "lobby", username: "Bob" }))[2],
      ":server 366 Bob #lobby :End of names",
    );
    assert.deepEqual(ada.take(), [":Bob JOIN #lobby"]);
  });

  test("leaves an author's events out, whatever the number of texts before and after", async () => {
    const messages = fc.array(
      fc.record({
        by: fc.constantFrom("Ada", "Bob", "Cy"),
        lines: fc.array(fc.constantFrom("x", "é 語", "😀", "y".repeat(300)), { maxLength: 3 }),
      }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(messages, async (said) => {
        const fixture = new HubFixture();
        const ada = await IrcClient.joined(fixture, "Ada");
        const bob = await IrcClient.joined(fixture, "Bob", "echo-message");
        const cy = await fixture.member("Cy", "lobby");
        for (const each of [ada, bob, cy]) each.take();
        for (const { by, lines } of said) {
          const message = lines.join("\n");
          if (by === "Cy") cy.ask({ type: "chat", message });
          else (by === "Ada" ? ada : bob).ask(chat(message));
        }
        await idle();
        const all = said.flatMap(({ by, lines }) => lines.map((line) => ({ by, line })));
        const texts = (heard: typeof all) => heard.map(({ by, line }) => `:${by} PRIVMSG #lobby :${line}`);
        assert.deepEqual(ada.take(), texts(all.filter(({ by }) => by !== "Ada")));
        assert.deepEqual(bob.take(), texts(all));
        assert.deepEqual(
          cy.take().map(({ type, message }) => (type === "ack" ? "ack" : message)),
          said.map(({ by, lines }) => (by === "Cy" ? "ack" : lines.join("\n"))),
        );
      }),
      { numRuns: 40 },
    );
  });

  test("writes nothing for events that the dialect does not have", async () => {
    const fixture = new HubFixture();
    const ada = await IrcClient.joined(fixture, "Ada");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    const writes = ada.link.sent.length;
    bob.ask({ type: "typing", room: "lobby" }, { type: "chat", message: "\n" });
    await idle();
    assert.equal(ada.link.sent.length, writes);
  });

  test("cuts a page of history by the bytes of its texts", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 8_192 } });
    const ada = await IrcClient.joined(fixture, "Ada");
    ada.take();
    ada.ask(...Array.from({ length: 9 }, (_, i) => chat(`${"a".repeat(150)}\n${i}${"\u0001".repeat(150)}`)));
    await idle();
    const ircPage = await ada.hear({ type: "history", room: "lobby" });
    assert.ok(ircPage.length > 2 && ircPage.length % 2 === 0, `${ircPage.length} lines`);
    assert.ok(Buffer.byteLength(ircPage.join("")) <= 2_048);
    const [jsonPage] = await (await fixture.member("Bob", "lobby")).hear({ type: "history", room: "lobby" });
    const entries = jsonPage?.entries as readonly unknown[];
    assert.ok(entries.length < ircPage.length / 2, "escapes make an entry longer in JSON");
    assert.equal(jsonPage?.more, true);
  });
});

describe("Hub.changeFormat()", () => {
  const time = "@time=2023-11-14T22:13:20.000Z ";

  test("moves a member of rooms to its new group, in the order of its requests", async () => {
    const fixture = new HubFixture();
    const ada = await IrcClient.joined(fixture, "Ada");
    const bob = await IrcClient.joined(fixture, "Bob");
    const cy = await IrcClient.joined(fixture, "Cy", "server-time");
    for (const each of [ada, bob, cy]) each.take();
    bob.ask(chat("one"));
    await idle();
    assert.deepEqual(ada.take(), [":Bob PRIVMSG #lobby :one"]);
    assert.deepEqual(cy.take(), [`${time}:Bob PRIVMSG #lobby :one`]);
    assert.deepEqual(await ada.hear(change("server-time"), { type: "topic", room: "den" }), [
      ":server CAP Ada ACK :server-time",
      ":server 400 Ada not-joined :Join the room first",
    ]);
    bob.ask(chat("two"));
    await idle();
    assert.equal(ada.link.sent.at(-1), cy.link.sent.at(-1), "both get the same bytes");
    assert.deepEqual(ada.take(), [`${time}:Bob PRIVMSG #lobby :two`]);
    await ada.hear(change());
    bob.ask(chat("three"));
    await idle();
    assert.deepEqual(ada.take(), [":Bob PRIVMSG #lobby :three"]);
    // Leaving works from the new group.
    await ada.hear({ type: "leave", room: "lobby" });
    bob.ask(chat("four"));
    await idle();
    assert.deepEqual(ada.take(), []);
  });

  test("answers what was asked before in the old format", async () => {
    const fixture = new HubFixture();
    const ada = await IrcClient.joined(fixture, "Ada");
    await ada.hear(chat("hi"));
    const history: Incoming = { type: "history", room: "lobby" };
    assert.deepEqual(await ada.hear(history, change("server-time"), history), [
      ":Ada PRIVMSG #lobby :hi",
      ":server CAP Ada ACK :server-time",
      `${time}:Ada PRIVMSG #lobby :hi`,
    ]);
  });

  test("shares a format between clients with the same capabilities in any order", async () => {
    const fixture = new HubFixture();
    const ada = await IrcClient.joined(fixture, "Ada", "server-time", "echo-message");
    const bob = await IrcClient.joined(fixture, "Bob", "echo-message", "server-time");
    assert.equal(ada.connection.format, bob.connection.format);
  });

  test("keeps each member in one group over random joins, leaves, changes and messages", async () => {
    const steps = fc.array(
      fc.record({
        who: fc.nat({ max: 3 }),
        act: fc.constantFrom("join", "leave", "chat", "chat", "change", "change and chat", "drop"),
        capabilities: fc.subarray(["server-time", "echo-message", "other"]),
      }),
      { minLength: 20, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        const fixture = new HubFixture();
        const people = Array.from({ length: 4 }, (_, i) => ({
          name: `user${i}`,
          client: new IrcClient(fixture),
          capabilities: [] as readonly string[],
          isIn: false,
          isGone: false,
        }));
        let said = 0;
        for (const { who, act, capabilities } of run) {
          const person = people[who] as (typeof people)[number];
          const { client, name } = person;
          if (person.isGone) continue;
          if (act === "join") client.ask({ type: "join", room: "lobby", username: name });
          if (act === "leave") client.ask({ type: "leave", room: "lobby" });
          if (act === "drop") client.connection.gone();
          if (act === "join" || act === "leave") person.isIn = act === "join";
          if (act === "drop") person.isGone = true;
          await idle();
          for (const each of people) each.client.take();
          if (act.startsWith("change")) client.ask(change(...capabilities));
          if (act.startsWith("change")) person.capabilities = capabilities;
          if (act.endsWith("chat")) client.ask(chat(`${said}`));
          await idle();
          for (const each of people) {
            const lines = each.client.take().filter((line) => line.includes("PRIVMSG"));
            const isHeard = act.endsWith("chat") && person.isIn && each.isIn && !each.isGone;
            const isTold = isHeard && (each !== person || each.capabilities.includes("echo-message"));
            const tag = each.capabilities.includes("server-time") ? time : "";
            assert.deepEqual(
              lines,
              isTold ? [`${tag}:${name} PRIVMSG #lobby :${said}`] : [],
              `${each.name} after ${act}`,
            );
          }
          if (act.endsWith("chat")) said += 1;
        }
      }),
      { numRuns: 60 },
    );
  });

  test("refuses the 65th format with capabilities until another is free, but none without", async () => {
    const fixture = new HubFixture();
    const clients = Array.from({ length: 63 }, (_, i) => new IrcClient(fixture, `cap-${i}`));
    await idle();
    const plain = await IrcClient.joined(fixture, "Ada");
    plain.take();
    const refused = [":server 400 Ada busy :Too many wire formats are in use"];
    assert.deepEqual(await plain.hear(change("cap-new")), refused);
    assert.deepEqual(await plain.hear(change("cap-62")), [":server CAP Ada ACK :cap-62"], "one in use is shared");
    assert.deepEqual(await plain.hear(change("cap-new")), [":server CAP Ada ACK :cap-new"], "its first format is free");
    assert.deepEqual(await plain.hear(change("cap-newer")), refused);
    // Clients that negotiated nothing are served as ever.
    const bob = await fixture.member("Bob", "lobby");
    assert.equal((await bob.hear({ type: "chat", message: "hi" }))[0]?.type, "ack");
    await bob.vanish();
    plain.take();
    clients[0]?.connection.gone();
    assert.deepEqual(await plain.hear(change("cap-newer")), [":server CAP Ada ACK :cap-newer"]);
  });
});

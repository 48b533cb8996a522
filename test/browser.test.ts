/** The web page in a real browser with a real server: pages and TCP clients share a room. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { type ServerOptions, startServer } from "@landline/server";
import { chromium } from "playwright-core";
import { countOf, enter, launchOptions, newProfile, PageBrowser, say, shows, TIMEOUT_MS } from "./chromium.ts";
import { skipWithoutChromium } from "./programs.ts";
import { until } from "./until.ts";

const HOST = "127.0.0.1";
const skip = skipWithoutChromium();

/** Starts a server, by default on a free port. */
async function startedServer(port = 0, options: ServerOptions = {}) {
  const server = await startServer({ host: HOST, port, ...options });
  assert.ok(server.address.port);
  return Object.assign(server, { port: server.address.port });
}

/** A version 1 client: JSON lines over TCP. */
class RawClient implements Disposable {
  readonly heard: Record<string, unknown>[] = [];
  readonly #socket: Socket;
  #text = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("error", () => undefined);
    socket.on("data", (text: string) => {
      const lines = (this.#text + text).split("\n");
      this.#text = lines.pop() ?? "";
      for (const line of lines) this.heard.push(JSON.parse(line));
      socket.emit("heard");
    });
  }

  /** Connects, joins, and waits for the confirmation. */
  static async join(port: number, room: string, username: string): Promise<RawClient> {
    const socket = connect(port, HOST);
    await once(socket, "connect");
    const client = new RawClient(socket);
    client.send({ type: "join", room, username });
    await client.hears({ type: "notification", message: `${username} joined ${room}` });
    return client;
  }

  send(message: object): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Waits for a message with these fields, among those received and those to come. */
  async hears(fields: Record<string, unknown>): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const matches = (message: Record<string, unknown>) =>
      Object.entries(fields).every(([name, value]) => message[name] === value);
    while (!this.heard.some(matches)) {
      await once(this.#socket, "heard", { signal }).catch((cause) => {
        throw new Error(`Not heard: ${JSON.stringify(fields)}; but ${JSON.stringify(this.heard)}`, { cause });
      });
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** A proxy between browser and server. It can cut and reopen the link, and counts connections. */
class Cable implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  /** Connections on which the server spoke first, and those that the browser used after that. */
  readonly welcomed = new Set<Socket>();
  readonly usedLate = new Set<Socket>();
  readonly firstBytes = new Set<number>();
  port = 0;

  constructor(targetPort: number) {
    this.#server = createServer((near) => {
      this.connections += 1;
      const far = connect(targetPort, HOST);
      let isUsed = false;
      near.on("data", (chunk: Buffer) => {
        if (!isUsed) this.firstBytes.add(chunk[0] as number);
        isUsed = true;
        if (this.welcomed.has(near)) this.usedLate.add(near);
      });
      far.on("data", () => {
        if (!isUsed) this.welcomed.add(near);
      });
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  async open(): Promise<void> {
    this.#server.listen(this.port, HOST);
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }
}

/** Serves one page from another origin. */
async function strangersPage(html: string): Promise<AsyncDisposable & { url: string }> {
  const server = createHttpServer((_request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>A stranger's page</title>${html}`);
  });
  server.listen(0, HOST);
  await once(server, "listening");
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("the web page in Chromium", { skip, timeout: 300_000 }, () => {
  let browser: PageBrowser;
  const newPage = () => browser.newPage();

  before(async () => {
    browser = await PageBrowser.launch();
  });

  after(async () => {
    await browser?.[Symbol.asyncDispose]();
  });

  test("two pages and a TCP client chat in one room", async () => {
    await using server = await startedServer();
    const { port } = server;
    await using ada = await newPage();
    await using bob = await newPage();
    await enter(ada, `http://${HOST}:${port}/?room=lobby`, "ada");
    await enter(bob, `http://${HOST}:${port}/#lobby`, "bob");
    using cy = await RawClient.join(port, "lobby", "cy");
    await ada.getByRole("log").getByText("bob joined, cy joined").waitFor();
    await ada.getByRole("complementary", { name: "Members" }).getByText("cy", { exact: true }).waitFor();

    const evil = "<img src=x onerror=alert(1)> & <b>bold</b>";
    await say(ada, evil);
    await shows(bob, evil);
    await cy.hears({ type: "chat", username: "ada", room: "lobby", message: evil });
    cy.send({ type: "chat", message: "from a terminal" });
    await shows(ada, "from a terminal");
    await shows(bob, "from a terminal");
    await say(bob, "and back");
    await shows(ada, "and back");
    await cy.hears({ type: "chat", username: "bob", message: "and back" });
    assert.equal(await ada.locator(".is-pending, .is-failed").count(), 0);
    assert.equal(await countOf(ada, evil), 1);

    await bob.getByRole("button", { name: "Leave" }).click();
    await bob.getByRole("button", { name: "Join" }).waitFor();
    await cy.hears({ type: "notification", message: "bob left lobby" });
  });

  test("a page shows the topic and the users that are typing", async () => {
    await using server = await startedServer();
    await using page = await newPage();
    await enter(page, `http://${HOST}:${server.port}/`, "ada");
    using bob = await RawClient.join(server.port, "elsewhere", "bob");
    bob.send({ type: "leave" });
    bob.send({ type: "hello", version: 2 });
    bob.send({ type: "join", id: "j", room: "lobby" });
    await bob.hears({ type: "joined" });
    bob.send({ type: "topic", room: "lobby", topic: "<b>Plans</b>" });
    await page.locator("header").getByText("<b>Plans</b>", { exact: true }).waitFor();
    await shows(page, "bob set the topic: <b>Plans</b>");
    bob.send({ type: "typing", room: "lobby" });
    await page.getByText("bob is writing…").waitFor();
    bob.send({ type: "chat", room: "lobby", message: "Saturday?" });
    await shows(page, "Saturday?");
    assert.equal(await page.getByText("bob is writing…").count(), 0);
    await page.getByRole("textbox").fill("Yes");
    await bob.hears({ type: "typing", username: "ada" });
  });

  test("a page marks new messages, in its title while hidden, and reports the read position", async () => {
    await using server = await startedServer();
    using cy = await RawClient.join(server.port, "lobby", "cy");
    await using page = await newPage();
    const asked: { type: string; seq?: number }[] = [];
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => asked.push(JSON.parse(String(payload))));
    });
    const reads = () => asked.filter(({ type }) => type === "read").map(({ seq }) => seq);
    const hide = (isHidden: boolean) =>
      page.evaluate(`
        Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      `);

    await enter(page, `http://${HOST}:${server.port}/#lobby`, "ada");
    assert.equal(await page.title(), "#lobby · Landline");
    cy.send({ type: "chat", message: "seen at once" });
    await shows(page, "seen at once");
    await hide(true);
    for (const message of ["new 1", "new 2"]) cy.send({ type: "chat", message });
    await shows(page, "new 2");
    assert.equal(await page.title(), "(2) #lobby · Landline");
    // The room's first entry is its name.
    assert.deepEqual(reads(), [2]);
    await hide(false);
    assert.equal(await page.title(), "#lobby · Landline");
    const log = page.getByRole("log");
    assert.match(await log.innerText(), /seen at once\s+2 new\s[\s\S]*new 1\s+new 2$/);

    // The page of a user who goes elsewhere and comes back shows the messages in between.
    await hide(true);
    await until(() => reads().at(-1) === 4, "the hidden page reports its position");
    await page.goto("about:blank");
    cy.send({ type: "chat", message: "meanwhile" });
    await page.goto(`http://${HOST}:${server.port}/#lobby`);
    await shows(page, "1 new");
    await say(page, "I have read it");
    await cy.hears({ type: "chat", message: "I have read it" });
    await page.locator(".is-unread").waitFor({ state: "detached" });
  });

  test("a page reconnects and shows missed messages once and in order", async () => {
    await using server = await startedServer();
    await using cable = new Cable(server.port);
    await cable.open();
    await using ada = await newPage();
    using cy = await RawClient.join(server.port, "lobby", "cy");
    await enter(ada, `http://${HOST}:${cable.port}/#lobby`, "ada");
    await say(ada, "before");
    await cy.hears({ type: "chat", message: "before" });

    await cable.cut();
    await ada.getByText("Offline.").waitFor();
    cy.send({ type: "chat", message: "missed 1" });
    cy.send({ type: "chat", message: "missed 2" });
    await say(ada, "written meanwhile");
    await ada.locator(".is-pending").waitFor();
    await cable.open();
    // The page's automatic attempt may come first. Then the button is gone.
    await ada
      .getByRole("button", { name: "Retry now" })
      .evaluateAll((buttons) => (buttons as { click(): void }[])[0]?.click());

    await cy.hears({ type: "chat", username: "ada", message: "written meanwhile" });
    await ada.locator(".is-pending").waitFor({ state: "detached" });
    await ada.locator(".banner").waitFor({ state: "hidden" });
    const texts = await ada.getByRole("log").locator(".text").allInnerTexts();
    assert.deepEqual(texts, ["before", "missed 1", "missed 2", "written meanwhile"]);
  });

  test("a page rejoins a restarted server and sends the messages written meanwhile", async () => {
    const first = await startedServer();
    const { port } = first;
    await using cable = new Cable(port);
    await cable.open();
    await using ada = await newPage();
    try {
      await enter(ada, `http://${HOST}:${cable.port}/#lobby`, "ada");
    } finally {
      await first.close();
    }
    await ada.locator(".banner").waitFor();
    await cable.cut();
    await say(ada, "are you back?");
    await using _second = await startedServer(port);
    using cy = await RawClient.join(port, "lobby", "cy");
    await cable.open();
    await cy.hears({ type: "chat", username: "ada", message: "are you back?" });
    cy.send({ type: "chat", message: "I am" });
    await shows(ada, "I am");
    assert.equal(await countOf(ada, "are you back?"), 1);
  });

  test("a browser loads the page over a connection that it opened early and left silent", async () => {
    await using server = await startedServer();
    await using cable = new Cable(server.port);
    await cable.open();
    await using stranger = await strangersPage(`<link rel="preconnect" href="http://${HOST}:${cable.port}/">`);
    // Chromium opens connections early only with a separate profile, not with the contexts of the other tests.
    await using profile = await newProfile();
    await using context = await chromium.launchPersistentContext(profile.path, launchOptions);
    const page = await context.newPage();
    await page.goto(stranger.url);
    // This wait is what the test is about: it is longer than the server waits for the first bytes.
    await page.waitForTimeout(1_200);
    assert.ok(cable.connections > 0, "Chromium opened no connection early");
    const response = await page.goto(`http://${HOST}:${cable.port}/`);
    assert.equal(response?.status(), 200);
    await page.getByRole("button", { name: "Join" }).waitFor();
  });

  test("a page of another origin cannot post as its visitor over early connections, TLS or TURN", async () => {
    // The page has another port, which is a foreign origin if a host name is configured.
    await using server = await startedServer(0, { silentMs: 100, hosts: ["chat.example"] });
    await using cable = new Cable(server.port);
    await cable.open();
    using cy = await RawClient.join(server.port, "lobby", "cy");
    const target = `http://${HOST}:${cable.port}/`;
    await using stranger = await strangersPage(
      `<link rel="preconnect" href="${target}"><link rel="preconnect" href="${target}" crossorigin>`,
    );
    await using profile = await newProfile();
    await using context = await chromium.launchPersistentContext(profile.path, launchOptions);
    const page = await context.newPage();
    for (let round = 0; round < 4; round += 1) {
      cable.welcomed.clear();
      await page.goto(`${stranger.url}?${round}`);
      await until(() => cable.welcomed.size > 0, "an early connection gets the welcome");
      await page.evaluate(
        async ({ url, n }) => {
          const lines = `{"type":"join","room":"lobby","username":"mallory"}\n{"type":"chat","message":"forged"}\n`;
          const body = `\n${lines.repeat(20)}`;
          const headers = { "content-type": "text/plain" };
          const query = `?${"a".repeat(n * 700)}{a`;
          const post = { method: "POST", mode: "no-cors", headers, body } as const;
          await Promise.allSettled([
            fetch(url + query, post),
            fetch(url, { ...post, method: "HELLO", mode: "cors" }),
            fetch(`${url}ws`, { ...post, credentials: "include" }),
            new Promise((resolve) => {
              const socket = new WebSocket(`${url.replace("http", "ws")}ws${query}`);
              socket.onclose = resolve;
              socket.onopen = () => socket.send(lines);
            }),
          ]);
          // Like `sendBeacon`.
          void fetch(url, { ...post, keepalive: true }).catch(() => undefined);
        },
        { url: target, n: round },
      );
    }
    await page.evaluate(`(async () => {
      const lines = '\\n{"type":"join","room":"lobby","username":"mallory"}\\n{"type":"chat","message":"forged"}\\n';
      const server = (kind) => ({
        urls: kind + ":${HOST}:${cable.port}?transport=tcp",
        username: lines,
        credential: lines,
      });
      const peer = new RTCPeerConnection({ iceServers: [server("turn"), server("turns")], iceTransportPolicy: "relay" });
      peer.createDataChannel(lines);
      const gathered = new Promise((resolve) => {
        peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
      });
      await peer.setLocalDescription();
      await Promise.allSettled([gathered, fetch("https://${HOST}:${cable.port}/", { method: "POST", body: lines })]);
      peer.close();
    })()`);
    assert.ok(cable.firstBytes.has(0x16) && cable.firstBytes.has(0x00), "Chromium spoke TLS and TURN");
    assert.ok(cable.usedLate.size > 0, "Chromium sent no request on a connection with a welcome");
    using dee = await RawClient.join(server.port, "lobby", "dee");
    dee.send({ type: "chat", message: "that was all" });
    await cy.hears({ type: "chat", message: "that was all" });
    assert.deepEqual(
      cy.heard.filter(({ type }) => type !== "welcome").map(({ message }) => message),
      ["cy joined lobby", "dee joined lobby", "that was all"],
    );
  });

  test("a page of another origin cannot post as its visitor", async () => {
    await using server = await startedServer();
    const { port } = server;
    using cy = await RawClient.join(port, "lobby", "cy");
    await using stranger = await strangersPage("");
    await using page = await newPage();
    await page.goto(stranger.url);
    await page.evaluate(async (target) => {
      const lines = `{"type":"join","room":"lobby","username":"mallory"}\n{"type":"chat","message":"forged"}\n`;
      for (const path of ["", "ws", "api/rooms/lobby/messages"]) {
        for (const body of [lines, `\n${lines}`, new Blob([lines], { type: "text/plain" })]) {
          const options = { method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body } as const;
          await fetch(target + path, options).catch(() => undefined);
        }
      }
    }, `http://${HOST}:${port}/`);

    using dee = await RawClient.join(port, "lobby", "dee");
    dee.send({ type: "chat", message: "that was all" });
    await cy.hears({ type: "chat", message: "that was all" });
    assert.deepEqual(
      cy.heard.filter(({ type }) => type !== "welcome").map(({ message }) => message),
      ["cy joined lobby", "dee joined lobby", "that was all"],
    );
  });
});

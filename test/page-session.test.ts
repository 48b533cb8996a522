/** The session of a page: what a reload, a duplicated tab and a restarted server do to it. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium, type Page, type WebSocketRoute } from "playwright-core";
import { TestServer } from "./chat-server.ts";
import { countOf, enter, launchOptions, newProfile, PageBrowser, say, shows, TIMEOUT_MS } from "./chromium.ts";
import type { Message } from "./hub-fixture.ts";
import { skipWithoutChromium } from "./programs.ts";
import type { RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

/** Without a limit that a slow machine could reach. */
const PATIENT = { limits: { awayMs: 600_000, resumeMs: 1_200_000 } } as const;

const addressOf = ({ port }: TestServer, room = "lobby") => `http://127.0.0.1:${port}/#${room}`;
const composer = (page: Page) => page.getByRole("textbox", { name: "Message to" });
const nameField = (page: Page) => page.getByLabel("Your name");

/** Reloads, and resolves at this stage. Chromium refuses to while it changes from one page to the next. */
async function reloadUntil(page: Page, waitUntil: "commit" | "domcontentloaded" | "load"): Promise<void> {
  const refused = (error: unknown): boolean => {
    assert.match(String(error), /Not attached to an active page/);
    return false;
  };
  await until(() => page.reload({ waitUntil }).then(() => true, refused), "Chromium reloads the page");
}

/** Reloads, and waits until the page is in its room again. The form must not appear. */
async function reload(page: Page): Promise<void> {
  await reloadUntil(page, "load");
  await composer(page).or(nameField(page)).waitFor();
  assert.equal(await nameField(page).count(), 0, "the form appeared");
}

/** Reads what the client was sent until a chat message with this text. */
async function heardUntil(client: RawClient, text: string): Promise<readonly Message[]> {
  const heard: Message[] = [];
  for (;;) {
    const message = await client.next();
    heard.push(message);
    if (message.type === "chat" && message.message === text) return heard;
  }
}

function presences(heard: readonly Message[]): readonly string[] {
  return heard.filter(({ type }) => type === "presence").map(({ username, state }) => `${username} ${state}`);
}

async function membersOf(client: RawClient, room: string): Promise<readonly string[]> {
  client.send({ type: "who", id: "who", room });
  const { members, count } = await client.nextWith("id", "who");
  assert.equal(count, (members as string[]).length);
  return [...(members as string[])].sort();
}

describe("the session of a page", { skip: skipWithoutChromium(), timeout: 300_000 }, () => {
  let browser: PageBrowser;

  before(async () => {
    browser = await PageBrowser.launch();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
  });

  test("a reload returns to the room with the same name, and nobody sees it", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    for (let i = 1; i <= 60; i += 1) cy.send({ type: "chat", room: "lobby", message: `line ${i}` });
    await shows(page, "line 60");
    await say(page, "before");
    await heardUntil(cy, "before");
    cy.send({ type: "topic", room: "lobby", topic: "Plans" });

    await reload(page);
    assert.match(page.url(), /#lobby$/);
    await page.locator("header").getByText("Plans", { exact: true }).waitFor();
    await shows(page, "before");
    cy.send({ type: "chat", room: "lobby", message: "to the new page" });
    await shows(page, "to the new page");
    await say(page, "after");
    const heard = await heardUntil(cy, "after");
    assert.deepEqual(presences(heard), []);
    assert.equal(heard.at(-1)?.username, "ada");
    await page.getByRole("button", { name: "Show older messages" }).click();
    await shows(page, "line 1");
    const expected = [...Array.from({ length: 60 }, (_, i) => `line ${i + 1}`), "before", "to the new page", "after"];
    for (const text of expected) assert.equal(await countOf(page, text), 1, text);
    assert.deepEqual(await membersOf(cy, "lobby"), ["ada", "cy"]);
  });

  test("reloads in quick succession end in the room, and nobody sees them", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    const hellos: { session?: string; share?: boolean; attempt?: number }[] = [];
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => {
        const request = JSON.parse(String(payload));
        if (request.type === "hello") hellos.push(request);
      });
    });
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    for (let round = 0; round < 4; round += 1) {
      // Each reload interrupts the page before it at another point: before its script, its hello or its join.
      for (const stage of ["commit", "domcontentloaded", "load"] as const) await reloadUntil(page, stage);
      await reload(page);
    }
    const [, ...resumed] = hellos;
    assert.ok(resumed.length >= 4, `${resumed.length} attempts`);
    let last = 0;
    for (const { session, share, attempt = 0 } of resumed) {
      assert.ok(session !== undefined && share === undefined && attempt > last, JSON.stringify(hellos));
      last = attempt;
    }
    await say(page, "still here");
    assert.deepEqual(presences(await heardUntil(cy, "still here")), []);
    assert.deepEqual(await membersOf(cy, "lobby"), ["ada", "cy"]);
  });

  test("a reload during a connection attempt resumes the session", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    // The server's answers are lost: it knows the attempt, and the page does not know that.
    const greeted: string[] = [];
    await page.routeWebSocket(/\/ws$/, (route) => {
      const onward = route.connectToServer();
      onward.onMessage((message) => {
        if (JSON.parse(String(message)).type === "hello") greeted.push(String(message));
      });
    });
    for (let i = 1; i <= 3; i += 1) {
      await page.reload();
      await until(() => greeted.length === i, "the server answers the hidden attempt");
    }
    for (const text of greeted) assert.equal(JSON.parse(text).username, "ada", text);
    await page.unrouteAll();
    await page.routeWebSocket(/\/ws$/, (route) => void route.connectToServer());
    await reload(page);
    await say(page, "still here");
    assert.deepEqual(presences(await heardUntil(cy, "still here")), []);
  });

  test("when the return fails, the form says why, and joining resumes the session", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    let isCut = true;
    await page.routeWebSocket(/\/ws$/, (route) => {
      if (isCut) void route.close({ code: 1011 });
      else route.connectToServer();
    });
    await page.reload();
    await page.getByText("The server cannot be reached.").waitFor();
    await page.reload();
    await page.getByText("The server cannot be reached.").waitFor();
    isCut = false;
    assert.deepEqual(
      [await nameField(page).inputValue(), await page.getByLabel("Room").inputValue()],
      ["ada", "lobby"],
    );
    await page.getByRole("button", { name: "Join" }).click();
    await say(page, "still here");
    assert.deepEqual(presences(await heardUntil(cy, "still here")), []);
  });

  test("a duplicated tab shares the user: both work, one member is counted, and closing one leaves the other", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    const copy = await duplicate(page);
    await composer(copy).waitFor();
    await say(page, "from the first");
    await shows(copy, "from the first");
    await say(copy, "from the copy");
    await shows(page, "from the copy");
    await copy.locator(".members").getByText("cy", { exact: true }).waitFor();
    assert.equal(await copy.locator(".member-name").count(), 2);
    await heardUntil(cy, "from the copy");

    // Each has a session of its own.
    await reload(page);
    await reload(copy);
    await say(page, "the first again");
    await shows(copy, "the first again");
    const third = await duplicate(copy);
    await composer(third).waitFor();
    await page.close();
    await third.close();
    await say(copy, "the copy alone");
    assert.deepEqual(presences(await heardUntil(cy, "the copy alone")), []);
    assert.deepEqual(await membersOf(cy, "lobby"), ["ada", "cy"]);
    await reload(copy);
    for (const text of ["from the first", "from the copy", "the first again", "the copy alone"]) {
      await shows(copy, text);
      assert.equal(await countOf(copy, text), 1, text);
    }
    // Leaving ends the last session that has a connection, not those of the closed tabs.
    await copy.getByRole("button", { name: "Leave" }).click();
    await nameField(copy).waitFor();
  });

  test("a duplicated tab that may not share shows the form, and joins under another name", async () => {
    await using server = await TestServer.start({ limits: { ...PATIENT.limits, connectionsPerPersonMax: 1 } });
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    const copy = await duplicate(page);
    await copy.getByText(/at most 1/).waitFor();
    await nameField(copy).fill("eve");
    await copy.getByRole("button", { name: "Join" }).click();
    await say(copy, "I am eve");
    await shows(page, "I am eve");
    await reload(copy);
    await reload(page);
    await say(page, "and I am ada");
    assert.deepEqual(presences(await heardUntil(cy, "and I am ada")), ["eve joined"]);
  });

  for (const kind of ["memory", "disk"] as const) {
    test(`a page returns after the server has restarted, while open and by reload, ${kind}`, async () => {
      const data = await mkdtemp(join(tmpdir(), "landline-page-"));
      const options = kind === "disk" ? { ...PATIENT, data } : PATIENT;
      try {
        const first = await TestServer.start(options);
        const { port } = first;
        await using page = await browser.newPage();
        await enter(page, addressOf(first), "ada");
        await say(page, "before");
        await page.locator(".is-pending").waitFor({ state: "detached" });
        await first[Symbol.asyncDispose]();
        await page.getByText("Offline.").waitFor();

        const second = await TestServer.start({ ...options, port });
        await page.locator(".banner.is-online").waitFor({ state: "attached" });
        await say(page, "between");
        await page.locator(".is-pending").waitFor({ state: "detached" });
        await reload(page);
        await shows(page, "between");
        await second[Symbol.asyncDispose]();

        // This page sees the server stop and start only through its reload.
        await using third = await TestServer.start({ ...options, port });
        await reload(page);
        await say(page, "after");
        await shows(page, "after");
        const cy = await third.member("cy", "lobby");
        assert.deepEqual(await membersOf(cy, "lobby"), ["ada", "cy"]);
        const kept = kind === "disk" ? ["before", "between", "after"] : ["after"];
        for (const text of kept) assert.equal(await countOf(page, text), 1, text);
      } finally {
        await rm(data, { recursive: true, force: true, maxRetries: 3 });
      }
    });
  }

  test("when the session has ended and the name is in use, the form says so and takes another name", async () => {
    const first = await TestServer.start();
    await using page = await browser.newPage();
    await enter(page, addressOf(first), "ada");
    const { port } = first;
    await page.context().setOffline(true);
    await first[Symbol.asyncDispose]();
    await using server = await TestServer.start({ ...PATIENT, port });
    const other = await server.member("ada", "lobby");
    await page.context().setOffline(false);
    await page.reload();
    await page.getByText("This name is already in use. Choose another one.").waitFor();
    assert.equal(await nameField(page).inputValue(), "ada");
    await nameField(page).fill("ada2");
    await page.getByRole("button", { name: "Join" }).click();
    await say(page, "under another name");
    assert.equal((await heardUntil(other, "under another name")).at(-1)?.username, "ada2");
    await reload(page);
    await say(page, "kept");
    assert.deepEqual(presences(await heardUntil(other, "kept")), []);
  });

  test("Leave ends the session: a reload shows the form, and the name is free", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    await page.getByRole("button", { name: "Leave" }).click();
    await nameField(page).waitFor();
    await heardPresence(cy, "ada left");
    await page.reload();
    await nameField(page).waitFor();
    await server.member("ada", "lobby");
  });

  test("after Leave without a connection, the same name can join again", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    const sockets: WebSocketRoute[] = [];
    let isCut = false;
    await page.routeWebSocket(/\/ws$/, (socket) => {
      if (isCut) void socket.close({ code: 1011 });
      else socket.connectToServer();
      sockets.push(socket);
    });
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    isCut = true;
    await sockets[0]?.close({ code: 1011 });
    await page.getByText("Offline.").waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await nameField(page).waitFor();
    isCut = false;
    await page.getByRole("button", { name: "Join" }).click();
    await say(page, "back");
    assert.equal((await heardUntil(cy, "back")).at(-1)?.username, "ada");
    await reload(page);
  });

  test("a link to another room shows the form; joining leaves the first room with the same session", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby", "den");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await heardPresence(cy, "ada joined");
    await page.goto("about:blank");
    await page.goto(addressOf(server, "den"));
    await nameField(page).waitFor();
    assert.equal(await page.getByLabel("Room").inputValue(), "den");
    await page.getByRole("button", { name: "Join" }).click();
    await say(page, "in the den");
    const heard = await heardUntil(cy, "in the den");
    assert.ok(presences(heard).includes("ada joined"));
    await until(async () => !(await membersOf(cy, "lobby")).includes("ada"), "ada has left the lobby");
    await reload(page);
    await page.goto(`http://127.0.0.1:${server.port}/`);
    await composer(page).waitFor();
    assert.match(page.url(), /#den$/);
  });

  test("another name on the form begins a new session", async () => {
    await using server = await TestServer.start(PATIENT);
    const cy = await server.member("cy", "lobby", "den");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await page.goto("about:blank");
    await enter(page, addressOf(server, "den"), "eve");
    await say(page, "I am eve");
    assert.equal((await heardUntil(cy, "I am eve")).at(-1)?.username, "eve");
    await reload(page);
    await say(page, "still eve");
    assert.equal((await heardUntil(cy, "still eve")).at(-1)?.username, "eve");
  });

  const denials: Readonly<Record<string, string>> = {
    "storage is denied": `Object.defineProperty(window, "sessionStorage", {
      get() { throw new DOMException("denied", "SecurityError"); },
    })`,
    "storage is full": `Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }`,
    "locks are denied": `LockManager.prototype.request = () => Promise.reject(new DOMException("denied", "SecurityError"))`,
  };
  for (const [denial, script] of Object.entries(denials)) {
    test(`without what it needs the page works, and a reload shows the form: ${denial}`, async () => {
      await using server = await TestServer.start(PATIENT);
      await using page = await browser.newPage();
      await page.addInitScript(script);
      await enter(page, addressOf(server), "ada");
      await say(page, "works");
      await shows(page, "works");
      await page.reload();
      // The session ended with the page, so the name is free.
      await enter(page, page.url(), "ada");
      await shows(page, "works");
    });
  }

  test("a page in an insecure context works, and a reload shows the form", async () => {
    await using server = await TestServer.start({ ...PATIENT, hosts: ["chat.example"] });
    await using profile = await newProfile();
    const args = [...(launchOptions.args ?? []), "--host-resolver-rules=MAP chat.example 127.0.0.1"];
    await using context = await chromium.launchPersistentContext(profile.path, { ...launchOptions, args });
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    await enter(page, `http://chat.example:${server.port}/#lobby`, "ada");
    assert.equal(await page.evaluate("isSecureContext"), false);
    await page.reload();
    await enter(page, page.url(), "ada");
  });

  test("a stored session of another shape is ignored", async () => {
    await using server = await TestServer.start(PATIENT);
    await using page = await browser.newPage();
    await page.goto(addressOf(server));
    for (const stored of [
      "",
      "{",
      "null",
      "7",
      '{"tab":"t"}',
      '{"tab":"t","username":"a","room":7}',
      '{"tab":"t","username":"a","room":"r","session":null}',
      '{"tab":"t","username":"a","room":"r","session":{"token":"x","attempt":-0.5}}',
      '{"tab":"t","username":"a","room":"r","session":{"token":"x","attempt":-1}}',
    ]) {
      await page.evaluate((text) => sessionStorage.setItem("landline.session", text), stored);
      await page.reload();
      await nameField(page).waitFor();
    }
  });
});

/** Waits until the client is told this, and fails if it is told something else before. */
async function heardPresence(client: RawClient, text: string): Promise<void> {
  const { username, state } = await client.nextWith("type", "presence");
  assert.equal(`${username} ${state}`, text);
}

/** Opens a copy of a page in a new tab, with a copy of its sessionStorage. */
async function duplicate(page: Page): Promise<Page> {
  const opened = page.context().waitForEvent("page");
  await page.evaluate("void window.open(location.href)");
  return opened;
}

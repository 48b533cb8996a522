/** The web page in a real browser: what its user sees and does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { after, before, describe, test } from "node:test";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { TestServer } from "./chat-server.ts";
import { enter, PageBrowser, say, shows } from "./chromium.ts";
import { skipWithoutChromium } from "./programs.ts";
import { until } from "./until.ts";

const PHONE = { viewport: { width: 390, height: 780 } };

describe("the web page", { skip: skipWithoutChromium(), timeout: 300_000 }, () => {
  let browser: PageBrowser;

  before(async () => {
    browser = await PageBrowser.launch();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
  });

  const addressOf = ({ port }: TestServer) => `http://127.0.0.1:${port}/#lobby`;

  /** Opens a page in a room with enough messages to scroll. */
  async function longRoom(
    server: TestServer,
    page: Page,
    lines = 60,
  ): Promise<Awaited<ReturnType<TestServer["member"]>>> {
    const cy = await server.member("cy", "lobby");
    for (let i = 1; i <= lines; i += 1) cy.send({ type: "chat", id: `${i}`, room: "lobby", message: `line ${i}` });
    await cy.nextWith("id", `${lines}`);
    await enter(page, addressOf(server), "ada");
    await shows(page, `line ${lines}`);
    return cy;
  }

  /** How far the newest message is below the visible part, in pixels. 0 if it is visible. */
  const hiddenBelow = (page: Page): Promise<number> =>
    page
      .locator(".messages-scroller")
      .evaluate((element) => Math.max(0, element.scrollHeight - element.scrollTop - element.clientHeight));
  const staysAtEnd = (page: Page, what: string) => until(async () => (await hiddenBelow(page)) <= 1, what);

  test("scrolls to the user's own message after the list was scrolled up", async () => {
    await using server = await TestServer.start();
    await using page = await browser.newPage();
    const cy = await longRoom(server, page);
    await page.locator(".messages-scroller").evaluate((element) => element.scrollTo({ top: 0 }));
    cy.send({ type: "chat", room: "lobby", message: "while she reads" });
    await page.getByRole("button", { name: "New messages" }).waitFor();
    assert.ok((await hiddenBelow(page)) > 500, "the list scrolled while the user was reading");
    await say(page, "mine");
    await shows(page, "mine");
    await staysAtEnd(page, "the list is at its end after sending");
  });

  test("keeps the newest message visible when the list shrinks: keyboard, composer, banner, turned phone", async () => {
    await using server = await TestServer.start();
    await using page = await browser.newPage(PHONE);
    await longRoom(server, page);
    await staysAtEnd(page, "the list starts at its end");
    await page.setViewportSize({ width: 390, height: 436 });
    await staysAtEnd(page, "the end is visible above the keyboard");
    await page.setViewportSize(PHONE.viewport);
    await staysAtEnd(page, "the end is visible without the keyboard");
    await page.getByRole("textbox").fill("a\nb\nc\nd\ne\nf");
    await staysAtEnd(page, "the end is visible above a tall composer");
    await page.setViewportSize({ width: 780, height: 390 });
    await staysAtEnd(page, "the end is visible on a turned phone");
    await page.locator(".banner").evaluate((element) => element.removeAttribute("hidden"));
    await staysAtEnd(page, "the end is visible below the banner");
    // The list stays in place for a user who has scrolled up.
    await page.locator(".messages-scroller").evaluate((element) => element.scrollTo({ top: 0 }));
    await page.setViewportSize({ width: 780, height: 300 });
    assert.ok((await hiddenBelow(page)) > 500);
  });

  test("does not move the user's own messages once they are sent", async () => {
    await using server = await TestServer.start();
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    for (const text of ["one", "two", "three"]) await say(page, text);
    await page.locator(".is-pending").first().waitFor({ state: "detached" });
    const place = async () => {
      const log = await page.locator(".log").boundingBox();
      const box = await page.getByRole("log").getByText("three", { exact: true }).boundingBox();
      return (box?.y ?? 0) - (log?.y ?? 0);
    };
    await until(async () => (await page.locator(".is-pending").count()) === 0, "all messages are sent");
    const sent = await place();
    // Now with a message that stays pending.
    await page.context().setOffline(true);
    await say(page, "four");
    const pending = page.locator(".is-pending", { hasText: "four" });
    await pending.waitFor();
    assert.equal(await place(), sent);
    assert.equal(await page.locator(".group").count(), 1);
  });

  test("does not post a text that begins with /, and explains how to post it", async () => {
    await using server = await TestServer.start();
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await say(page, "/nick mallory");
    await page
      .getByText("Not sent: the text begins with /, like a command. To send it as it is, begin it with // instead.")
      .waitFor();
    assert.equal(await page.getByRole("textbox").inputValue(), "/nick mallory");
    await say(page, "//nick is no command");
    const heard = await cy.nextWith("type", "chat");
    assert.equal(heard.message, "/nick is no command");
  });

  test("offers Edit for a message that is too long, without Retry, and keeps the focus", async () => {
    await using server = await TestServer.start({ limits: { messageBytesMax: 100 } });
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    const field = page.getByRole("textbox");
    await say(page, "x".repeat(101));
    await page.getByText("Not sent").waitFor();
    assert.equal(await page.getByRole("button", { name: "Retry" }).count(), 0);
    await page.getByRole("button", { name: "Edit" }).click();
    assert.equal(await field.inputValue(), "x".repeat(101));
    await field.press("Backspace");
    await field.press("Enter");
    await shows(page, "x".repeat(100));

    await say(page, "y".repeat(101));
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByText("Not sent").waitFor({ state: "detached" });
    assert.equal(await field.evaluate((element) => element.matches(":focus")), true);
  });

  test("Edit restores a text that begins with / as it was typed", async () => {
    await using server = await TestServer.start({ limits: { messageBytesMax: 100 } });
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    await say(page, `//${"x".repeat(100)}`);
    await page.getByRole("button", { name: "Edit" }).click();
    const field = page.getByRole("textbox");
    assert.equal(await field.inputValue(), `//${"x".repeat(100)}`);
    await field.press("Backspace");
    await field.press("Enter");
    await shows(page, `/${"x".repeat(99)}`);
  });

  test("keeps the focus on a failed message while others write", async () => {
    await using server = await TestServer.start({ limits: { messageBytesMax: 100 } });
    const cy = await server.member("cy", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    // In a group of its own, and in a group with messages that were sent.
    for (const [index, sent] of ["", "sent before"].entries()) {
      if (sent !== "") {
        await say(page, sent);
        await page.locator(".is-pending").waitFor({ state: "detached" });
      }
      await say(page, "x".repeat(101));
      const edit = page.getByRole("button", { name: "Edit" }).nth(index);
      await edit.focus();
      const group = await page
        .locator(".group")
        .nth(2 * index)
        .innerText();
      for (const text of ["meanwhile", "and again"]) {
        cy.send({ type: "chat", room: "lobby", message: `${text} ${index}` });
        await shows(page, `${text} ${index}`);
        assert.equal(await edit.evaluate((element) => element.matches(":focus")), true);
        assert.equal(
          await page
            .locator(".group")
            .nth(2 * index)
            .innerText(),
          group,
        );
      }
    }
  });

  test("focuses the field that the server refused", async () => {
    await using server = await TestServer.start();
    await server.member("taken", "lobby");
    await using page = await browser.newPage();
    await page.goto(addressOf(server));
    const [name, room] = [page.getByLabel("Your name"), page.getByRole("textbox", { name: "Room" })];
    for (const [username, roomName, refused, text] of [
      ["ada", "\u2800", room, "room"],
      ["taken", "lobby", name, "already in use"],
      ["a\u2028da", "lobby", name, "name"],
      ["ada", "a\u2028b", room, "room"],
    ] as const) {
      await name.fill(username);
      await room.fill(roomName);
      await page.getByRole("button", { name: "Join" }).click();
      await page.getByRole("alert").getByText(text).waitFor();
      await until(
        () => refused.evaluate((element) => element.matches(":focus")),
        `the focus is on the field of ${JSON.stringify([username, roomName])}`,
      );
    }
  });

  test("keeps the dot of the banner in the line of its text, and wraps only the text", async () => {
    for (const width of [280, 390, 1_280]) {
      await using server = await TestServer.start();
      await using page = await browser.newPage({ viewport: { width, height: 780 } });
      await enter(page, addressOf(server), "ada");
      await server.close();
      await page.getByText("Offline.").waitFor();
      // Nothing visible stands above or before the text.
      const places = await page.locator(".banner").evaluate((banner) => {
        const { top, left } = banner.getBoundingClientRect();
        const [first] = [...banner.children].map((child) => child.getBoundingClientRect());
        return { tag: banner.children[0]?.tagName, x: (first?.left ?? 0) - left, y: (first?.top ?? 0) - top };
      });
      assert.equal(places.tag, "P");
      assert.ok(places.x < 30 && places.y < 30, JSON.stringify(places));
    }
  });

  test("closes the members panel of a phone by its button and by Escape, and gives the focus back", async () => {
    await using server = await TestServer.start();
    await using page = await browser.newPage(PHONE);
    await enter(page, addressOf(server), "ada");
    const toggle = page.getByRole("button", { name: "1 member" });
    const close = page.getByRole("button", { name: "Close" });
    for (const act of [() => close.click(), () => close.press("Enter"), () => page.keyboard.press("Escape")]) {
      await toggle.click();
      await close.waitFor();
      await act();
      await close.waitFor({ state: "hidden" });
      await until(() => toggle.evaluate((element) => element.matches(":focus")), "the focus is on the button again");
    }
    await page.setViewportSize({ width: 1_280, height: 800 });
    await page.getByRole("complementary", { name: "Members" }).waitFor();
    assert.equal(await close.isVisible(), false);
  });

  test("shows right-to-left names and texts without reordering their surroundings", async () => {
    await using server = await TestServer.start();
    const cy = await server.member("שלום", "lobby");
    await using page = await browser.newPage();
    await enter(page, addressOf(server), "ada");
    cy.send({ type: "chat", room: "lobby", message: "مرحبا" });
    await shows(page, "مرحبا");
    const head = page.locator(".group-head").last();
    const [name, time] = [await head.locator("bdi").boundingBox(), await head.locator("time").boundingBox()];
    assert.ok((name?.x ?? 0) < (time?.x ?? 0), "the name is not before the time");
    const text = page.getByText("مرحبا", { exact: true });
    assert.equal(await text.evaluate((element) => element.matches(":dir(rtl)")), true);
    assert.ok((await page.locator(".member-name").count()) > 0);
    assert.equal(await page.locator("bdi.member-name").count(), await page.locator(".member-name").count());
  });

  test("explains in plain words that the server cannot be reached", async () => {
    const server = await TestServer.start();
    await using page = await browser.newPage();
    await page.goto(addressOf(server));
    await server[Symbol.asyncDispose]();
    await page.getByLabel("Your name").fill("ada");
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByText("The server cannot be reached. Check the connection and try again.").waitFor();
    assert.doesNotMatch(await page.locator("body").innerText(), /1006|WebSocket|ws:/);
  });

  test("shows a visible message without JavaScript", async () => {
    await using server = await TestServer.start();
    await using page = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(addressOf(server));
    const message = page.getByText("This page needs JavaScript.");
    await message.waitFor();
    const box = await message.boundingBox();
    assert.ok(box !== null && box.y >= 0 && box.y < 200, JSON.stringify(box));
  });

  test("works under a path prefix behind a proxy", async () => {
    await using server = await TestServer.start();
    await using proxy = await pathProxy("/chat/", server.port);
    await using page = await browser.newPage();
    await enter(page, `http://127.0.0.1:${proxy.port}/chat/?room=lobby`, "ada");
    await say(page, "below a path");
    await shows(page, "below a path");
    assert.match(page.url(), /\/chat\/#lobby$/);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    for (const viewport of [{ width: 1_280, height: 800 }, PHONE.viewport]) {
      test(`has no axe violations, ${colorScheme}, ${viewport.width} pixels wide`, async () => {
        await using server = await TestServer.start({ limits: { messageBytesMax: 100 } });
        // Disable transitions: a colour in transition may fail the contrast check.
        await using page = await browser.newPage({ colorScheme, viewport, reducedMotion: "reduce" });
        await page.goto(addressOf(server));
        await assertAccessible(page);
        // Now with a scrolling list without focusable elements.
        await longRoom(server, page, 40);
        await assertAccessible(page);
        await say(page, "x".repeat(101));
        await page.getByText("Not sent").waitFor();
        await say(page, "/nope");
        await assertAccessible(page);
        if (viewport.width < 700) {
          await page.getByRole("button", { name: /members?$/ }).click();
          await assertAccessible(page);
        }
        await server.close();
        await page.getByText("Offline.").waitFor();
        await assertAccessible(page);
      });
    }
  }
});

/** Fails with the violations that axe-core finds, by rule and element. */
async function assertAccessible(page: Page): Promise<void> {
  await page.evaluate(`${axe.source}; undefined`);
  const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as axe.AxeResults;
  const faults = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`);
  assert.deepEqual(faults, []);
}

/** A reverse proxy that serves the server under a path prefix. */
async function pathProxy(path: string, port: number): Promise<AsyncDisposable & { port: number }> {
  const inner = (url: string | undefined): string | undefined =>
    url?.startsWith(path) ? url.slice(path.length - 1) : undefined;
  const proxy = createServer((incoming, answer) => {
    const url = inner(incoming.url);
    if (url === undefined) {
      answer.writeHead(404).end();
      return;
    }
    const { method, headers } = incoming;
    const outgoing = request({ host: "127.0.0.1", port, path: url, method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on("error", () => answer.destroy());
    outgoing.end();
  });
  proxy.on("upgrade", (incoming, socket) => {
    const url = inner(incoming.url);
    if (url === undefined) {
      socket.destroy();
      return;
    }
    const onward = connectTcp(port, "127.0.0.1");
    const lines = [`GET ${url} HTTP/1.1`];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
      lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
    }
    onward.write(`${lines.join("\r\n")}\r\n\r\n`);
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    port: (proxy.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

/**
 * The web page in Chromium, and the actions of its user.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type LaunchOptions, type Page } from "playwright-core";
import { chromiumPath } from "./programs.ts";

/** The longest wait for an expected state of a page, in milliseconds. */
export const TIMEOUT_MS = 45_000;

export const launchOptions: LaunchOptions = {
  ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"],
};

/** A browser. Collects the errors of its pages, and their violations of the Content-Security-Policy. */
export class PageBrowser implements AsyncDisposable {
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async launch(): Promise<PageBrowser> {
    return new PageBrowser(await chromium.launch(launchOptions));
  }

  /** Opens a page for another person. */
  async newPage(options: BrowserContextOptions = {}): Promise<Page & AsyncDisposable> {
    const context = await this.#browser.newContext({ locale: "en-GB", ...options });
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (/Content.Security.Policy|Trusted ?Type/i.test(message.text())) this.complaints.push(message.text());
    });
    return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    assert.deepEqual(this.complaints, []);
  }
}

export async function enter(page: Page, address: string, username: string): Promise<void> {
  await page.goto(address);
  await page.getByLabel("Your name").fill(username);
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("textbox", { name: "Message to" }).waitFor();
}

export async function say(page: Page, text: string): Promise<void> {
  const field = page.getByRole("textbox", { name: "Message to" });
  await field.fill(text);
  await field.press("Enter");
}

export async function shows(page: Page, text: string): Promise<void> {
  await page.getByRole("log").getByText(text, { exact: true }).waitFor();
}

export async function countOf(page: Page, text: string): Promise<number> {
  return page.getByRole("log").getByText(text, { exact: true }).count();
}

/** A folder for a browser's profile. */
export async function newProfile(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "landline-chromium-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

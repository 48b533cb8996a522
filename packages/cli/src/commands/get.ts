import { open } from "node:fs/promises";
import { SocketError } from "@landline/sockets";
import { get, type HttpResponse } from "@landline/sockets/http";
import { type Command, InvalidArgumentError } from "commander";
import {
  CommandFailed,
  DURATION_HELP,
  interruptSignal,
  Output,
  parseCount,
  parseDuration,
  systemReason,
} from "../terminal/mod.ts";

const EXAMPLES = `
The body is written to standard output unchanged. Every HTTP status exits with 0, unless --fail is given.

Examples:
  landline get http://localhost:8083/healthz
  landline get -i -H 'Accept: application/json' localhost:8083
  landline get --fail -o page.html http://example.com/`;

interface GetFlags {
  include?: boolean;
  output?: string;
  fail?: boolean;
  maxTime?: number;
  header?: [string, string][];
  redirects: number;
}

export function addGet(program: Command): void {
  program
    .command("get")
    .description("fetch a URL over HTTP or HTTPS")
    .argument("<url>", "http:// or https:// URL; http:// is the default", parseUrl)
    .option("-i, --include", "also print the status line and headers")
    .option("-o, --output <file>", "write the body to a file")
    .option("-f, --fail", "exit with 1 and print no body when the status is 400 or above")
    .option("-m, --max-time <time>", `limit for the whole request; ${DURATION_HELP}`, parseDuration)
    .option("-H, --header <line>", "send the header 'Name: value'; can be repeated", collectHeader)
    .option("--redirects <count>", "maximum number of redirects to follow", parseCount, 5)
    .addHelpText("after", EXAMPLES)
    .action(getUrl);
}

async function getUrl(url: URL, flags: GetFlags): Promise<void> {
  await using response = await ask(url, flags);
  if (flags.fail && response.status >= 400) {
    throw new CommandFailed(`${url.host} answered ${response.status} ${response.reason}`.trimEnd());
  }
  const output = new Output();
  if (flags.include) await output.write(Buffer.from(formatHead(response), "latin1"));
  if (flags.output === undefined) {
    for await (const chunk of response) await output.write(chunk);
  } else {
    await save(response, flags.output);
  }
  await output.end();
}

/** Writes the body to a file as it arrives. When the body is cut off, the file keeps the received part. */
async function save(response: HttpResponse, path: string): Promise<void> {
  const writing = <Result>(step: Promise<Result>): Promise<Result> =>
    step.catch((error) => {
      throw new CommandFailed(`Cannot write ${path}: ${systemReason(error)}`, { cause: error });
    });
  await using file = await writing(open(path, "w"));
  let length = 0;
  try {
    for await (const chunk of response) {
      await writing(file.appendFile(chunk));
      length += chunk.length;
    }
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    throw new CommandFailed(`${error.message}; ${path} has the first ${length} bytes`, { cause: error });
  }
}

async function ask(url: URL, { header = [], redirects, maxTime }: GetFlags): Promise<HttpResponse> {
  try {
    return await get(url, {
      headers: header,
      redirectsMax: redirects,
      bodyBytesMax: Number.POSITIVE_INFINITY,
      signal: interruptSignal(),
      timeoutMs: maxTime,
    });
  } catch (error) {
    // A header that users may not set, or a redirect to an invalid URL.
    if (error instanceof TypeError || error instanceof RangeError) throw new CommandFailed(error.message);
    throw error;
  }
}

function formatHead({ version, status, reason, headers }: HttpResponse): string {
  const lines = [`HTTP/${version} ${status} ${reason}`, ...[...headers].map(([name, value]) => `${name}: ${value}`)];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function parseUrl(text: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null) throw new InvalidArgumentError("not a valid URL");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new InvalidArgumentError("the URL must begin with http:// or https://");
  }
  if (url.port === "0") throw new InvalidArgumentError("a port is an integer from 1 to 65535");
  if (url.username !== "" || url.password !== "") {
    throw new InvalidArgumentError(
      "the URL contains a user name or password; send an Authorization header with -H instead",
    );
  }
  return url;
}

function collectHeader(text: string, headers: readonly [string, string][] = []): [string, string][] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("a header is 'Name: value'");
  return [...headers, [name, value]];
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ChatModel, ChatSystem, NAMES, ROOMS } from "./chat-model.ts";
import { Bye, Chat, Come, Drop, History, Join, Leave, Restart } from "./chat-steps.ts";
import { failOnLeaks } from "./leaks.ts";
import { fc } from "./seed.ts";

failOnLeaks();

const LONG = process.env.LANDLINE_LONG === "1";

const who = fc.nat(NAMES.length - 1);
const room = fc.nat(ROOMS.length - 1);
const few = fc.nat(3);
const past = fc.record({ bound: fc.constantFrom("after" as const, "before" as const), seq: few, limit: few });
const come = fc.tuple(who, room, fc.boolean()).map((values) => new Come(...values));
const enter = fc.tuple(who, room, few).map((values) => new Join(...values));
const chat = fc.tuple(who, room, fc.nat(1), fc.nat(1)).map((values) => new Chat(...values));
const leave = fc.tuple(who, room).map((values) => new Leave(...values));
const drop = fc.tuple(who, room, fc.boolean()).map((values) => new Drop(...values));
const bye = fc.tuple(who, room).map((values) => new Bye(...values));
const history = fc.tuple(who, room, past).map((values) => new History(...values));
const steps = [come, come, enter, enter, chat, chat, chat, chat, leave, drop, bye, history];

function parameters(runs: number): { numRuns: number } {
  return { numRuns: LONG ? 20 * runs : runs };
}

async function run(commands: Iterable<fc.AsyncCommand<ChatModel, ChatSystem>>, data?: string): Promise<void> {
  const system = await ChatSystem.start(data);
  try {
    const model = new ChatModel();
    // Connect everyone first: most steps need an online person.
    for (const [i] of NAMES.entries())
      for (const step of [new Come(i, 0, false), new Join(i, 0, 0)]) await step.run(model, system);
    await fc.asyncModelRun(() => ({ model, real: system }), commands);
  } finally {
    await system.close();
  }
}

describe("the chat server behaves like its model", { timeout: 1_000_000 }, () => {
  test("in memory", async () => {
    const commands = fc.commands(steps, { maxCommands: 60, size: "max" });
    await fc.assert(
      fc.asyncProperty(commands, (each) => run(each)),
      parameters(100),
    );
  });

  test("in SQLite, across restarts", async () => {
    const commands = fc.commands([...steps, fc.constant(new Restart())], { maxCommands: 60, size: "max" });
    const property = fc.asyncProperty(commands, async (each) => {
      const folder = await mkdtemp(join(tmpdir(), "landline-model-"));
      try {
        await run(each, folder);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
    await fc.assert(property, parameters(12));
  });
});

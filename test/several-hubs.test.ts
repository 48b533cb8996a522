import { describe, test } from "node:test";
import { failOnLeaks } from "./leaks.ts";
import { fc } from "./seed.ts";
import { Cluster } from "./several-hubs/cluster.ts";
import { type Event, event, take } from "./several-hubs/history.ts";

failOnLeaks();

async function run(nodes: number, random: number, history: readonly Event[]): Promise<void> {
  using cluster = new Cluster(nodes, random);
  await cluster.enter();
  for (const each of history) {
    await take(cluster, each);
    cluster.check();
  }
  await cluster.heal();
  await cluster.judge();
}

describe("several hubs on shared stores", { timeout: 3_600_000 }, () => {
  test("keep their promises to every client, whatever is late, lost or dead", async () => {
    const history = fc.array(event, { maxLength: 80, size: "max" });
    const property = fc.asyncProperty(fc.integer({ min: 2, max: 3 }), fc.nat(), history, run);
    await fc.assert(property, { numRuns: process.env.LANDLINE_LONG === "1" ? 50_000 : 2_000 });
  });
});

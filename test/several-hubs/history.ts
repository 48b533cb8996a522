import { fc } from "../seed.ts";
import { type Cluster, ROOMS } from "./cluster.ts";

const who = fc.nat(3);
const node = fc.nat(2);
const room = fc.constantFrom(...ROOMS);
const fault = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 255 }));
const type = fc.constantFrom("chat" as const, "chat" as const, "topic" as const);
const question = fc.constantFrom("who" as const, "typing" as const, "markRead" as const);
const end = fc.constantFrom("bye" as const, "vanish" as const);
const count = fc.integer({ min: 1, max: 3 });

/**
 * Something that happens. `steps` carries out some of the waiting steps, from `pick` on, with faults if `fault` is not 0.
 * `pause` and `cutOff` begin and end: a paused node does nothing, and one that is cut off cannot renew its lease.
 */
export const event = fc.oneof(
  of(30, "steps", fc.record({ count: fc.integer({ min: 1, max: 8 }), pick: fc.nat(1_000), fault })),
  of(8, "hear", fc.record({ who })),
  of(14, "say", fc.record({ who, room, type, count })),
  of(3, "connect", fc.record({ who, node })),
  of(2, "join", fc.record({ who, room })),
  of(2, "leave", fc.record({ who, room })),
  of(2, "ask", fc.record({ who, room, question })),
  of(2, "drop", fc.record({ who })),
  of(1, "end", fc.record({ who, end })),
  of(2, "kick", fc.record({ who, room })),
  of(1, "crash", fc.record({ node })),
  of(2, "pause", fc.record({ node })),
  of(2, "cutOff", fc.record({ node })),
  of(3, "elapse", fc.record({ ms: fc.constantFrom(300, 1_000, 4_000, 12_000) })),
);

export type Event = typeof event extends fc.Arbitrary<infer Value> ? Value : never;

function of<const Does extends string, Fields>(weight: number, does: Does, fields: fc.Arbitrary<Fields>) {
  return {
    weight: (process.env.NO ?? "").includes(does) ? 0 : weight,
    arbitrary: fields.map((each) => ({ does, ...each })),
  };
}

/** Lets it happen. */
export async function take(cluster: Cluster, event: Event): Promise<void> {
  switch (event.does) {
    case "steps":
      for (let i = 1; i <= event.count; i += 1) {
        await cluster.scheduler.step(event.pick * i, (event.fault * i) % 256);
      }
      break;
    case "hear":
      cluster.observer(event.who).hear();
      break;
    case "say":
      for (let i = 0; i < event.count; i += 1) cluster.observer(event.who).say(event.room, event.type);
      break;
    case "connect":
      cluster.observer(event.who).connect(cluster.node(event.node));
      break;
    case "join":
    case "leave":
      cluster.observer(event.who)[event.does](event.room);
      break;
    case "ask":
      cluster.observer(event.who)[event.question](event.room);
      break;
    case "drop":
      cluster.observer(event.who).drop();
      break;
    case "end":
      cluster.observer(event.who)[event.end]();
      break;
    case "kick":
      await cluster.kick(event.room, cluster.observer(event.who));
      break;
    case "crash":
      cluster.crash(event.node);
      break;
    case "pause":
      cluster.node(event.node).isPaused = !cluster.node(event.node).isPaused;
      break;
    case "cutOff":
      cluster.node(event.node).roster.isCutOff = !cluster.node(event.node).roster.isCutOff;
      break;
    case "elapse":
      await cluster.elapse(event.ms);
      break;
  }
}

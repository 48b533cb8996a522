import { busSuite } from "../../../../../test/suites/bus-suite.ts";
import { MemoryBus } from "./mod.ts";

busSuite("MemoryBus", (nodes) => {
  const ends = new Set<MemoryBus>();
  return Array.from({ length: nodes }, () => new MemoryBus(ends));
});

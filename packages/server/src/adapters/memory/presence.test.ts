import { presenceSuite } from "../../../../../test/suites/presence-suite.ts";
import { MemoryPresence } from "./presence.ts";

presenceSuite("MemoryPresence", () => new MemoryPresence());

import { registrySuite } from "../../../../../test/suites/registry-suite.ts";
import { MemoryRegistry } from "./registry.ts";

registrySuite("MemoryRegistry", () => new MemoryRegistry());

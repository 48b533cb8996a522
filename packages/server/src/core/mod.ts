export type { Command, CommandOf, Position } from "./command.ts";
export { decide } from "./decide.ts";
export type { Decision } from "./decision.ts";
export { type ChatLimits, DEFAULT_LIMITS } from "./limits.ts";
export { type Name, personName, roomKey, roomName, utf8Length } from "./names.ts";
export { type Goodbye, type Refusal, type RefusalCode, refuse } from "./refusal.ts";
export { newSession, type Session } from "./session.ts";

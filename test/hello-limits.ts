import type { Limits } from "@landline/protocol";

/** The limits in the `hello` of a server that a test imitates. */
export const HELLO_LIMITS: Limits = {
  messageBytesMax: 4096,
  topicBytesMax: 1024,
  frameBytesMax: 65_536,
  roomsMax: 10,
  historyMax: 200,
  pingMs: 25_000,
};

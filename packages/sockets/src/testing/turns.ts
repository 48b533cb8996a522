/** Delivery and waiting take turns of the event loop and no time: mocked timers leave them alone. */
export const nextTurn: typeof setImmediate = globalThis.setImmediate;

/** Waits for so many turns of the event loop: long enough for what a transport is about to do. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => nextTurn(resolve));
}

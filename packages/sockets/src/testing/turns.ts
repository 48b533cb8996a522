/** The real `setImmediate`, which mocked timers do not replace. */
export const nextTurn: typeof setImmediate = globalThis.setImmediate;

/** Waits for `count` turns of the event loop, so that a transport can deliver what is pending. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => nextTurn(resolve));
}

import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import type { Address } from "../address.ts";
import { SocketError } from "../errors.ts";
import { ConnectRace } from "./connect-race.ts";
import { Connection } from "./connection.ts";

interface FakeAttempt extends PromiseWithResolvers<void> {
  readonly address: Address;
  readonly connection: Connection;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A race over `count` addresses; the test settles its attempts. */
function raceOf(t: TestContext, count: number): { race: ConnectRace; attempts: FakeAttempt[] } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const attempts: FakeAttempt[] = [];
  const addresses = Array.from({ length: count }, (_, index) => ({ host: `192.0.2.${index + 1}`, port: 7 }));
  const race = new ConnectRace(addresses, "Cannot connect to name:7", (address) => {
    const connection = new Connection(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }));
    const attempt = { address, connection, ...Promise.withResolvers<void>() };
    attempts.push(attempt);
    return { connection, connected: attempt.promise };
  });
  return { race, attempts };
}

function refusal(attempt: FakeAttempt | undefined): SocketError {
  const remote = attempt?.address as Address;
  return new SocketError("refused", "Cannot connect to name:7: connection refused", { remote });
}

test("ConnectRace starts the next attempt after 250 ms", (t) => {
  const { race, attempts } = raceOf(t, 3);
  void race.run();
  assert.equal(attempts.length, 1);
  t.mock.timers.tick(249);
  assert.equal(attempts.length, 1);
  t.mock.timers.tick(1);
  assert.equal(attempts.length, 2);
  t.mock.timers.tick(250);
  assert.equal(attempts.length, 3);
});

test("ConnectRace starts the next attempt at once when one fails, and restarts the 250 ms", async (t) => {
  const { race, attempts } = raceOf(t, 3);
  void race.run();
  t.mock.timers.tick(200);
  attempts[0]?.reject(refusal(attempts[0]));
  await nextTurn();
  assert.equal(attempts.length, 2);
  t.mock.timers.tick(249);
  assert.equal(attempts.length, 2);
  t.mock.timers.tick(1);
  assert.equal(attempts.length, 3);
});

test("ConnectRace returns the first connection and resets the other attempts", async (t) => {
  const { race, attempts } = raceOf(t, 3);
  const winner = race.run();
  t.mock.timers.tick(250);
  attempts[1]?.resolve();
  assert.equal(await winner, attempts[1]?.connection);
  await attempts[0]?.connection.closed;
  // A late success changes nothing.
  attempts[0]?.resolve();
  t.mock.timers.tick(1_000);
  await nextTurn();
  assert.equal(attempts.length, 2);
  assert.notEqual(attempts[1]?.connection.state, "closed");
});

test("ConnectRace waits for a slow attempt after the others failed", async (t) => {
  const { race, attempts } = raceOf(t, 2);
  const winner = race.run();
  t.mock.timers.tick(250);
  attempts[1]?.reject(refusal(attempts[1]));
  await nextTurn();
  attempts[0]?.resolve();
  assert.equal(await winner, attempts[0]?.connection);
});

test("ConnectRace rejects with one error per address when all attempts fail", async (t) => {
  const { race, attempts } = raceOf(t, 2);
  const winner = race.run();
  attempts[0]?.reject(refusal(attempts[0]));
  await nextTurn();
  attempts[1]?.reject(refusal(attempts[1]));
  await assert.rejects(winner, (error: SocketError) => {
    assert.equal(error.code, "refused");
    assert.equal(error.message, "Cannot connect to name:7: connection refused");
    assert.ok(error.cause instanceof AggregateError);
    assert.deepEqual(
      error.cause.errors.map(({ remote }: SocketError) => remote),
      attempts.map(({ address }) => address),
    );
    return true;
  });
});

test("ConnectRace rejects with the plain error of a single address", async (t) => {
  const { race, attempts } = raceOf(t, 1);
  const winner = race.run();
  const error = refusal(attempts[0]);
  attempts[0]?.reject(error);
  await assert.rejects(winner, error);
});

test("ConnectRace stops at the first error that is not a SocketError", async (t) => {
  const { race, attempts } = raceOf(t, 2);
  const winner = race.run();
  attempts[0]?.reject(new TypeError("no such thing"));
  await assert.rejects(winner, TypeError);
  assert.equal(attempts.length, 1);
});

test("ConnectRace.cancel() resets running attempts and starts no more", async (t) => {
  const { race, attempts } = raceOf(t, 3);
  void race.run();
  t.mock.timers.tick(250);
  race.cancel();
  await Promise.all(attempts.map(({ connection }) => connection.closed));
  t.mock.timers.tick(1_000);
  assert.equal(attempts.length, 2);
});

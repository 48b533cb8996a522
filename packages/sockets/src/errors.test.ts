import assert from "node:assert/strict";
import { test } from "node:test";
import { fromNodeError, SocketError, toOrFrom } from "./errors.ts";

function nodeError(code: string, message = `connect ${code}`): Error {
  return Object.assign(new Error(message), { code });
}

test("SocketError has its code, fields and cause", () => {
  const cause = new Error("why");
  const error = new SocketError("end-of-stream", "Cannot read 4 bytes", {
    operation: "read",
    expected: 4,
    partial: Uint8Array.of(1),
    remote: { host: "::1", port: 1 },
    cause,
  });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "SocketError");
  assert.equal(error.code, "end-of-stream");
  assert.equal(error.operation, "read");
  assert.equal(error.expected, 4);
  assert.deepEqual(error.partial, Uint8Array.of(1));
  assert.deepEqual(error.remote, { host: "::1", port: 1 });
  assert.equal(error.cause, cause);
  assert.match(String(error), /^SocketError: Cannot read 4 bytes/);
});

test("SocketError has no cause unless one is given", () => {
  assert.equal("cause" in new SocketError("closed", "closed"), false);
  assert.equal("cause" in new SocketError("closed", "closed", { cause: undefined }), true);
});

test("fromNodeError() maps every Node code to a stable code", () => {
  const expected = {
    ECONNREFUSED: "refused",
    ENOENT: "refused",
    EHOSTUNREACH: "unreachable",
    ENETUNREACH: "unreachable",
    ENOTFOUND: "name-not-found",
    EAI_AGAIN: "name-lookup-failed",
    ETIMEDOUT: "timeout",
    ECONNRESET: "reset",
    EPIPE: "reset",
    EADDRINUSE: "address-in-use",
    EADDRNOTAVAIL: "address-not-available",
    EACCES: "permission",
    EMSGSIZE: "message-too-long",
    ERR_TLS_CERT_ALTNAME_INVALID: "tls",
    DEPTH_ZERO_SELF_SIGNED_CERT: "tls",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "tls",
    EMFILE: "system",
    toString: "system",
    constructor: "system",
  };
  for (const [nodeCode, code] of Object.entries(expected)) {
    const cause = nodeError(nodeCode);
    const error = fromNodeError(cause, "Cannot connect to localhost:8080", { operation: "connect" });
    assert.equal(error.code, code, nodeCode);
    assert.equal(error.cause, cause);
    assert.equal(error.operation, "connect");
    assert.match(error.message, /^Cannot connect to localhost:8080: ./);
  }
});

test("fromNodeError() adds a hint to a refused connection", () => {
  const error = fromNodeError(nodeError("ECONNREFUSED"), "Cannot connect to localhost:8080");
  assert.equal(error.message, "Cannot connect to localhost:8080: connection refused (is the server running?)");
});

test("fromNodeError() uses the first code of an AggregateError", () => {
  const attempts = [nodeError("ECONNREFUSED"), nodeError("ENETUNREACH")];
  assert.equal(fromNodeError(new AggregateError(attempts), "Cannot connect").code, "refused");
  assert.equal(fromNodeError(new AggregateError([new Error("no code"), ...attempts]), "x").code, "refused");
  assert.equal(fromNodeError(new AggregateError([]), "x").code, "system");
});

test("fromNodeError() returns a SocketError unchanged and accepts values that are not errors", () => {
  const own = new SocketError("busy", "busy");
  assert.equal(fromNodeError(own, "Cannot read"), own);
  assert.equal(fromNodeError("odd", "Cannot read").message, "Cannot read: odd");
  assert.equal(fromNodeError(undefined, "Cannot read").code, "system");
  assert.equal(fromNodeError({ code: 42 }, "Cannot read").code, "system");
});

test("toOrFrom() is empty for an unknown address", () => {
  assert.equal(toOrFrom("from", undefined), "");
  assert.equal(toOrFrom("from", { host: "::1", port: 7 }), " from [::1]:7");
});

test("fromNodeError() mentions privileges for a port below 1024", () => {
  const denied = Object.assign(new Error("denied"), { code: "EACCES" });
  const low = fromNodeError(denied, "Cannot listen on localhost:80", { local: { host: "localhost", port: 80 } });
  assert.match(low.message, /permission denied \(ports below 1024 need privileges\)$/);
  assert.match(fromNodeError(denied, "Cannot listen on /x", { local: { path: "/x" } }).message, /permission denied$/);
});

test("SocketError prints only the fields that are set", () => {
  const error = new SocketError("timeout", "Cannot read: timed out", { operation: "read", cause: new Error("why") });
  assert.deepEqual(Object.keys(error).sort(), ["code", "name", "operation"]);
  assert.equal(error.remote, undefined);
  assert.equal((error.cause as Error).message, "why");
});

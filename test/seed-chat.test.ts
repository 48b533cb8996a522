/**
 * The tutorial's clients are written in Python. These tests run Python clients that use only the standard library, in
 * another process. So the server and its clients do not share our assumptions about sockets.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { TestServer } from "./chat-server.ts";
import { skipWithoutPython } from "./programs.ts";

const run = promisify(execFile);
const skip = skipWithoutPython();

/** The start of every script: a client that sends any bytes and reads JSON objects. */
const PREAMBLE = `
import json, socket, struct, sys

PORT = int(sys.argv[1])
decoder = json.JSONDecoder()

class Caller:
    def __init__(self):
        self.line = socket.create_connection(("127.0.0.1", PORT), timeout=15)
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard = ""
        self.undecoded = b""

    def say(self, value):
        # Like the tutorial: one object without a line feed.
        self.line.sendall(json.dumps(value).encode())

    def raw(self, data):
        self.line.sendall(data)

    def hear(self):
        while True:
            text = self.heard.lstrip()
            if text:
                try:
                    value, end = decoder.raw_decode(text)
                    self.heard = text[end:]
                    return value
                except json.JSONDecodeError:
                    pass
            data = self.line.recv(1024)
            if not data:
                raise SystemExit("the server hung up; unread: " + repr(text))
            self.undecoded += data
            try:
                self.heard = text + self.undecoded.decode()
                self.undecoded = b""
            except UnicodeDecodeError:
                self.heard = text

    def vanish(self):
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.close()

def expect(caller, value):
    got = caller.hear()
    if got != value:
        raise SystemExit("expected " + repr(value) + " but heard " + repr(got))

def notice(text):
    return {"type": "notification", "message": text}

def chat(name, room, text):
    return {"type": "chat", "username": name, "room": room, "message": text}

def enter(name, room):
    caller = Caller()
    caller.say({"type": "join", "room": room, "username": name})
    welcome = caller.hear()
    if welcome["type"] != "welcome":
        raise SystemExit("no welcome: " + repr(welcome))
    expect(caller, notice(name + " joined " + room))
    return caller
`;

/** Runs a script against a new server. Fails if the script exits with an error. */
async function converse(script: string): Promise<void> {
  await using server = await TestServer.start({ silentMs: 50, sniffMs: 50 });
  await run("python3", ["-c", `${PREAMBLE}\n${script}`, String(server.port)], { timeout: 120_000 });
}

describe("the tutorial's clients", { skip, timeout: 300_000 }, () => {
  test("get the welcome before they send anything", () =>
    converse(`
caller = Caller()
expect(caller, {"type": "welcome", "message": 'Welcome! Send {"type": "join", "room": "roomname", "username": "your_name"}'})
caller.say({"type": "join", "room": "lobby", "username": "ada"})
expect(caller, notice("ada joined lobby"))
`));

  test("join, chat, change rooms, leave and disconnect", () =>
    converse(`
ada, bob = enter("ada", "lobby"), enter("bob", "lobby")
expect(ada, notice("bob joined lobby"))
ada.say({"type": "chat", "message": "hello"})
expect(bob, chat("ada", "lobby", "hello"))
bob.say({"type": "chat", "message": "h\\u00e9llo \\U0001f600"})
expect(ada, chat("bob", "lobby", "h\\u00e9llo \\U0001f600"))

bob.say({"type": "join", "room": "kitchen", "username": "bob"})
expect(bob, notice("bob joined kitchen"))
expect(ada, notice("bob left lobby"))
ada.say({"type": "chat", "message": "alone"})
ada.say({"type": "ping"})
expect(ada, {"type": "pong"})
bob.say({"type": "join", "room": "lobby", "username": "bob"})
expect(bob, notice("bob joined lobby"))
expect(ada, notice("bob joined lobby"))

bob.say({"type": "leave"})
expect(ada, notice("bob left lobby"))
bob.say({"type": "chat", "message": "anyone?"})
answer = bob.hear()
assert answer["type"] == "error" and answer["code"] == "not-joined", answer
bob.say({"type": "join", "room": "lobby", "username": "bob"})
expect(bob, notice("bob joined lobby"))
expect(ada, notice("bob joined lobby"))
bob.line.close()
expect(ada, notice("bob left lobby"))
`));

  test("send two objects in one segment, and one object in three segments", () =>
    converse(`
ada, bob = enter("ada", "lobby"), enter("bob", "lobby")
expect(ada, notice("bob joined lobby"))
one, two = ({"type": "chat", "message": text} for text in ("one", "two"))
ada.raw((json.dumps(one) + json.dumps(two)).encode())
expect(bob, chat("ada", "lobby", "one"))
expect(bob, chat("ada", "lobby", "two"))
whole = json.dumps({"type": "chat", "message": "caf\\u00e9"}, ensure_ascii=False).encode()
cut = whole.index(b"\\xc3") + 1
for part in (whole[:9], whole[9:cut]):
    ada.raw(part)
    # The answer to the other client proves that the server has read this part. Then send the next one.
    for _ in range(3):
        bob.say({"type": "ping"})
        expect(bob, {"type": "pong"})
ada.raw(whole[cut:])
expect(bob, chat("ada", "lobby", "caf\\u00e9"))
`));

  test("send messages that are not strings, which version 2 gets as strings, also in history and search", () =>
    converse(`
ada, bob, cy = enter("ada", "lobby"), enter("bob", "lobby"), Caller()
cy.say({"type": "hello", "version": 2, "username": "cy"})
cy.say({"type": "join", "room": "lobby"})
while cy.hear()["type"] != "joined": pass
values = [42, 1.5, None, True, [1, {"words": ["found", None]}], {}, float("nan"), [float("-inf")], 12345678901234567890]
texts = ["42", "1.5", "null", "true", '[1,{"words":["found",null]}]', "{}", "NaN", '["-Infinity"]', "12345678901234567890"]
readable = values[:6] + ["NaN", ["-Infinity"]] + values[8:]
expect(ada, notice("bob joined lobby"))
for caller in (ada, bob):
    expect(caller, notice("cy joined lobby"))
for value, text, same in zip(values, texts, readable):
    ada.say({"type": "chat", "message": value})
    expect(bob, chat("ada", "lobby", same))
    got = cy.hear()
    assert got["message"] == text, got
cy.say({"type": "history", "id": "h", "room": "lobby"})
assert [entry["message"] for entry in cy.hear()["entries"] if entry["type"] == "chat"] == texts
cy.say({"type": "search", "id": "s", "room": "lobby", "query": "found"})
assert [entry["message"] for entry in cy.hear()["entries"]] == [texts[4]]
`));

  test("send invalid JSON and stay connected", () =>
    converse(`
ada, bob = enter("ada", "lobby"), enter("bob", "lobby")
expect(ada, notice("bob joined lobby"))
ada.raw(b"this is no json\\n")
expect(ada, {"type": "error", "message": "Invalid JSON"})
ada.raw(b'{"type": "chat", "message": }\\n')
expect(ada, {"type": "error", "message": "Invalid JSON"})
ada.raw(b'{"type": "chat", "message": "\\xff"}\\n')
expect(ada, {"type": "error", "message": "Invalid JSON"})
ada.say({"type": "chat", "message": "still here"})
expect(bob, chat("ada", "lobby", "still here"))
`));

  test("get an error for a join without a room or a name", () =>
    converse(`
caller = Caller()
wrong = ({"type": "join"}, {"type": "join", "room": "lobby"}, {"type": "join", "username": "ada"},
         {"type": "join", "room": "", "username": "ada"}, {"type": "join", "room": None, "username": "ada"})
caller.say(wrong[0])
assert caller.hear()["type"] == "welcome"
expect(caller, {"type": "error", "message": "Room and username required"})
for request in wrong[1:]:
    caller.say(request)
    expect(caller, {"type": "error", "message": "Room and username required"})
caller.say({"type": "join", "room": "lobby", "username": "ada"})
expect(caller, notice("ada joined lobby"))
`));

  test("free their names when they disconnect, with a reset or without", () =>
    converse(`
ada = enter("ada", "lobby")
for _ in range(2):
    bob = enter("bob", "lobby")
    expect(ada, notice("bob joined lobby"))
    bob.vanish()
    expect(ada, notice("bob left lobby"))
    bob = enter("bob", "lobby")
    expect(ada, notice("bob joined lobby"))
    bob.line.close()
    expect(ada, notice("bob left lobby"))
`));

  test("can send and receive length-prefixed messages", () =>
    converse(`
def send(line, value):
    body = json.dumps(value).encode()
    line.sendall(struct.pack("!I", len(body)) + body)

def receive(line):
    def exactly(count):
        data = b""
        while len(data) < count:
            part = line.recv(count - len(data))
            if not part:
                raise SystemExit("the server hung up")
            data += part
        return data
    return json.loads(exactly(struct.unpack("!I", exactly(4))[0]).decode())

ada = enter("ada", "lobby")
bob = socket.create_connection(("127.0.0.1", PORT), timeout=15)
send(bob, {"type": "join", "room": "lobby", "username": "bob"})
assert receive(bob)["type"] == "welcome"
assert receive(bob) == notice("bob joined lobby")
expect(ada, notice("bob joined lobby"))
send(bob, {"type": "chat", "message": "counted"})
expect(ada, chat("bob", "lobby", "counted"))
ada.say({"type": "chat", "message": "\\u00e9" * 300})
assert receive(bob) == chat("ada", "lobby", "\\u00e9" * 300)
`));
});

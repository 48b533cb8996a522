import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import logo from "./landline.svg";
import { roomOfLink } from "./place.ts";
import { isAboutRoom, textOf } from "./room-store.ts";
import type { Place } from "./tab-session.ts";

interface EntryFormProps {
  /** The name to begin with. */
  readonly username: string;
  /** Why the user could not return to the room; `undefined` if that was not tried. */
  readonly failure: unknown;
  /** Joins the room; rejects when that fails. */
  enter(place: Place): Promise<void>;
}

/** The form for the name and the room. */
export function EntryForm({ enter, failure: first, ...initial }: EntryFormProps): JSX.Element {
  const [username, setUsername] = useState(initial.username);
  const [room, setRoom] = useState(() => roomOfLink(location.href) || "lobby");
  const [error, setError] = useState(first === undefined ? "" : textOf(first));
  const [isEntering, setIsEntering] = useState(false);
  const nameField = useRef<HTMLInputElement>(null);
  const roomField = useRef<HTMLInputElement>(null);

  useEffect(() => (isAboutRoom(first) ? roomField : nameField).current?.focus(), []);
  useEffect(() => {
    const follow = () => setRoom(roomOfLink(location.href) || "lobby");
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (isEntering) return;
    setError("");
    setIsEntering(true);
    try {
      await enter({ username: username.trim(), room: room.trim().replace(/^#+/, "") });
    } catch (failure) {
      setError(textOf(failure));
      setIsEntering(false);
      (isAboutRoom(failure) ? roomField : nameField).current?.focus();
    }
  };

  return (
    <main class="entry">
      <form class="entry-card" onSubmit={submit}>
        <img class="entry-logo" src={logo} alt="" width="56" height="56" />
        <h1>Landline</h1>
        <p class="entry-lead">Pick up and talk: a name, a room, nothing else.</p>
        <label>
          Your name
          <input
            ref={nameField}
            name="username"
            dir="auto"
            value={username}
            onInput={(event) => setUsername(event.currentTarget.value)}
            autocomplete="nickname"
            autocapitalize="none"
            spellcheck={false}
            maxLength={32}
            required
          />
        </label>
        <label>
          Room
          <span class="prefixed">
            <span aria-hidden="true">#</span>
            <input
              ref={roomField}
              name="room"
              dir="auto"
              value={room}
              onInput={(event) => setRoom(event.currentTarget.value)}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              maxLength={64}
              required
            />
          </span>
        </label>
        <button class="primary" type="submit" disabled={isEntering}>
          {isEntering ? "Joining…" : "Join"}
        </button>
        <p class="entry-error" role="alert">
          {error}
        </p>
      </form>
    </main>
  );
}

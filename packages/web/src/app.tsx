import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { EntryForm } from "./entry-form.tsx";
import { chatUrl, rememberName, showRoomInLink } from "./place.ts";
import { RoomSession } from "./room-session.ts";
import { RoomView } from "./room-view.tsx";

/** The whole page: the entry form, or a room. */
export function App(): JSX.Element {
  const [session, setSession] = useState<RoomSession>();

  const enter = async (username: string, room: string) => {
    const entered = await RoomSession.enter(chatUrl(), username, room);
    rememberName(username);
    showRoomInLink(entered.room);
    setSession(entered);
  };
  const leave = () => {
    void session?.leave();
    document.title = "Landline";
    setSession(undefined);
  };

  return session === undefined ? <EntryForm enter={enter} /> : <RoomView session={session} leave={leave} />;
}

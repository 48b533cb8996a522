import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { EntryForm } from "./entry-form.tsx";
import { chatUrl, rememberName, showRoomInLink } from "./place.ts";
import { RoomStore } from "./room-store.ts";
import { RoomView } from "./room-view.tsx";

/** The whole page: the entry form, or a room. */
export function App(): JSX.Element {
  const [store, setStore] = useState<RoomStore>();

  const enter = async (username: string, room: string) => {
    const entered = await RoomStore.enter(chatUrl(), username, room);
    rememberName(username);
    showRoomInLink(entered.room);
    setStore(entered);
  };
  const leave = () => {
    void store?.leave();
    document.title = "Landline";
    setStore(undefined);
  };

  return store === undefined ? <EntryForm enter={enter} /> : <RoomView store={store} leave={leave} />;
}

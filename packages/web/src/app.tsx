import { nameKey } from "@landline/protocol";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { EntryForm } from "./entry-form.tsx";
import { chatUrl, rememberedName, rememberName, roomOfLink, showRoomInLink } from "./place.ts";
import { RoomStore } from "./room-store.ts";
import { RoomView } from "./room-view.tsx";
import type { Place, TabSession } from "./tab-session.ts";

interface AppProps {
  readonly tab: TabSession;
}

type View =
  | { readonly kind: "returning"; readonly place: Place }
  | { readonly kind: "entry"; readonly username: string; readonly failure: unknown }
  | { readonly kind: "room"; readonly store: RoomStore };

/** The whole page: the entry form, or a room. After a reload it returns to its room. */
export function App({ tab }: AppProps): JSX.Element {
  const [view, setView] = useState<View>(() => firstView(tab));

  const enter = async (place: Place) => {
    const store = await RoomStore.enter(chatUrl(), tab, place);
    rememberName(place.username);
    showRoomInLink(store.room);
    setView({ kind: "room", store });
  };
  useEffect(() => {
    if (view.kind !== "returning") return;
    const { place } = view;
    showRoomInLink(place.room);
    enter(place).catch((failure) => setView({ kind: "entry", username: place.username, failure }));
  }, []);

  switch (view.kind) {
    case "returning":
      return (
        <main class="entry">
          <p role="status">
            Returning to #<bdi>{view.place.room}</bdi>…
          </p>
        </main>
      );
    case "entry":
      return <EntryForm username={view.username} failure={view.failure} enter={enter} />;
    case "room": {
      const { store } = view;
      const leave = () => {
        store.leave();
        document.title = "Landline";
        setView({ kind: "entry", username: store.username, failure: undefined });
      };
      return <RoomView store={store} leave={leave} />;
    }
  }
}

/** A link to another room is followed only when the user joins. */
function firstView({ place }: TabSession): View {
  const linked = roomOfLink(location.href);
  if (place !== undefined && (linked === "" || nameKey(linked) === nameKey(place.room))) {
    return { kind: "returning", place };
  }
  return { kind: "entry", username: place?.username ?? rememberedName(), failure: undefined };
}

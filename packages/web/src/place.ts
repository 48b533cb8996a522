/**
 * The room in the page's URL, the last used name, and the URL of the chat's WebSocket.
 *
 * @module
 */

const NAME_KEY = "landline.name";

/** The room of `?room=lobby` or `#lobby`; the fragment wins, as the page itself sets it. */
export function roomOfLink(address: string): string {
  const url = new URL(address);
  const fragment = url.hash.replace(/^#+/, "");
  return (fragment === "" ? url.searchParams.get("room") : decoded(fragment))?.trim() ?? "";
}

/** Makes the address bar a link to the room. */
export function showRoomInLink(room: string): void {
  const url = new URL(location.href);
  url.searchParams.delete("room");
  url.hash = encodeURIComponent(room);
  history.replaceState(null, "", url);
}

export function rememberedName(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return ""; // Access to storage can be denied.
  }
}

export function rememberName(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // The name is asked for again next time.
  }
}

/** URL of the chat's WebSocket, relative to the page: a proxy may serve both under a path. */
export function chatUrl(page: string = location.href): URL {
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url;
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment; // A lone percent sign.
  }
}

import type { ChatClientEvent, ChatStateEvent, TopicEvent } from "@landline/client";
import type { ChatMessage, EntryMessage } from "@landline/protocol";
import { describeError, safeLine } from "../terminal/mod.ts";

/** `12:34`, in local time. */
function formatTime(at: number): string {
  const time = new Date(at);
  return `${String(time.getHours()).padStart(2, "0")}:${String(time.getMinutes()).padStart(2, "0")}`;
}

/** `12:34 <ada> text`. Names the room before the author when it is not the current room. */
export function formatMessage({ username, message, at, room }: ChatMessage, currentRoom: string): string {
  const place = room === currentRoom ? "" : `${safeLine(room)} `;
  // Indents the lines after the first, so that a message cannot imitate another user's line.
  return `${formatTime(at ?? Date.now())} ${place}<${safeLine(username)}> ${message.replaceAll("\n", "\n      ")}`;
}

/** Formats an entry of the room's log like its live event. */
export function formatEntry(entry: EntryMessage, currentRoom: string): string {
  if (entry.type === "chat") return formatMessage(entry, currentRoom);
  const topic = entry.changes.topic;
  return topic === undefined ? "" : formatTopicChange({ ...entry, topic });
}

/** Formats a client's events as lines. Reports a lost connection once, not for each attempt. */
export class EventLines {
  #isLost = false;

  /** The lines for an event, without a line feed at the end. `""` when the event has no line. */
  format(event: ChatClientEvent, currentRoom: string): string {
    switch (event.type) {
      case "message":
        return formatMessage(event.message, currentRoom);
      case "topic":
        return formatTopicChange(event);
      case "read":
        return "";
      case "typing":
        return ""; // Too short-lived for a line. A terminal shows it in the status line.
      case "presence":
        return formatNotice(`${event.username} ${event.state} ${event.room}`);
      case "rejoined":
        return [
          formatNotice(`Back in ${event.joined.room}${event.recovered ? "" : "; some messages were missed"}`),
          ...event.missed.map((message) => formatMessage(message, currentRoom)),
        ].join("\n");
      case "dropped":
        return formatNotice(`No longer in ${event.room}: ${event.error.message}`);
      case "gap":
        return formatNotice(`Some messages of ${event.room} were missed`);
      case "bye":
        this.#isLost = event.reconnect;
        return formatNotice(`${event.message}${event.reconnect ? "; trying again" : ""}`);
      case "error":
        return formatNotice(event.error.message);
      case "state":
        return this.#formatState(event);
    }
  }

  #formatState({ state, error }: ChatStateEvent): string {
    if (state === "online") this.#isLost = false;
    if (state !== "connecting" || error === undefined || this.#isLost) return "";
    this.#isLost = true;
    return formatNotice(`${describeError(error)}; trying again`);
  }
}

function formatTopicChange({ username, room, topic, at }: Omit<TopicEvent, "type" | "seq">): string {
  return formatNotice(`${username} set the topic of ${room}: ${topic === "" ? "none" : topic}`, at);
}

/** The status line for the users who are writing; `""` for none. */
export function formatTyping(names: readonly string[]): string {
  if (names.length === 0) return "";
  if (names.length > 3) return "Several people are writing…";
  return `${names.join(", ")} ${names.length === 1 ? "is" : "are"} writing…`;
}

/** `12:34 * text`: a notice, not a user's message. */
export function formatNotice(text: string, at: number = Date.now()): string {
  return `${formatTime(at)} * ${safeLine(text)}`;
}

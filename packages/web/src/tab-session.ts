import type { SessionStore, StoredSession } from "@landline/client";
import { nameKey } from "@landline/protocol";

/** A user and a room. */
export interface Place {
  readonly username: string;
  readonly room: string;
}

/** What a tab stores. */
interface StoredTab extends Place {
  /** Id of the tab. It names the lock that the tab's page holds. */
  readonly tab: string;
  /** Absent while there is none, for example between two sessions. */
  readonly session?: StoredSession | undefined;
}

const STORAGE_KEY = "landline.session";

/**
 * The session of this tab, kept in its `sessionStorage`, so that a reload returns to the room.
 *
 * A duplicated tab has a copy of the storage, and two pages must not use one session. The page therefore holds a Web Lock
 * with the tab's id. A page that does not get the lock is a duplicate: it shares the session's user, and stores a session
 * of its own. Without locks (they need a secure context) or without storage nothing is kept, and the session ends with
 * the page.
 */
export class TabSession implements SessionStore {
  /** `undefined` when nothing can be kept. */
  readonly #tab: string | undefined;
  #place: Place | undefined;
  #session: StoredSession | undefined;
  #shared: string | undefined;
  #isKept: boolean;

  private constructor(tab: string | undefined, stored: StoredTab | undefined) {
    this.#tab = tab;
    this.#isKept = tab !== undefined;
    if (tab === undefined || stored === undefined) return;
    const { username, room, session } = stored;
    this.#place = { username, room };
    if (tab === stored.tab) this.#session = session;
    else this.#shared = session?.token;
  }

  /** Reads the storage and takes the lock. */
  static async open(): Promise<TabSession> {
    const stored = read();
    if (stored !== undefined && (await hold(stored.tab))) return new TabSession(stored.tab, stored);
    const tab = newId();
    return new TabSession((await hold(tab)) ? tab : undefined, stored);
  }

  /** Whether a reload finds the session again. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** Where the user was before the reload. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** Token of the session whose user this tab shares, in a duplicated tab without a session of its own. */
  get shared(): string | undefined {
    return this.#shared;
  }

  /** The user goes to a room. Another name needs a new session. */
  enter(place: Place): void {
    if (this.#place !== undefined && nameKey(place.username) !== nameKey(this.#place.username)) {
      this.#session = undefined;
      this.#shared = undefined;
    }
    this.#place = place;
    this.#write();
  }

  /**
   * The user left the room, or could not join it: a reload shows the form. A session that could not be ended stays in
   * memory, so that {@link enter} with the same name resumes it.
   */
  leave(): void {
    if (this.#tab !== undefined) this.#isKept = write(undefined);
  }

  load(): StoredSession | undefined {
    return this.#session;
  }

  save(session: StoredSession | undefined): void {
    this.#session = session;
    this.#write();
  }

  #write(): void {
    if (this.#tab === undefined) return;
    const place = this.#place;
    this.#isKept = write(place === undefined ? undefined : { tab: this.#tab, ...place, session: this.#session });
  }
}

/** Holds a lock until the page ends. @returns false when another page has it, or when locks are not available. */
function hold(name: string): Promise<boolean> {
  const locks = navigator.locks as LockManager | undefined;
  return new Promise((resolve) => {
    const held = locks?.request(`landline.${name}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise<never>(() => undefined);
    });
    if (held === undefined) resolve(false);
    else held.catch(() => resolve(false)); // Access to locks can be denied.
  });
}

function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function read(): StoredTab | undefined {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
    return isStoredTab(stored) ? stored : undefined;
  } catch {
    return undefined; // Access to storage can be denied.
  }
}

/** @returns whether the storage holds it. */
function write(stored: StoredTab | undefined): boolean {
  try {
    sessionStorage.removeItem(STORAGE_KEY); // If storing fails, no old attempt number stays.
    if (stored !== undefined) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(stored));
    return true;
  } catch {
    return false; // Access to storage can be denied, and it can be full.
  }
}

function isStoredTab(value: unknown): value is StoredTab {
  if (typeof value !== "object" || value === null) return false;
  const { tab, username, room, session } = value as Record<string, unknown>;
  const isPlace = [tab, username, room].every((text) => typeof text === "string");
  return isPlace && (session === undefined || isStoredSession(session));
}

function isStoredSession(value: unknown): value is StoredSession {
  if (typeof value !== "object" || value === null) return false;
  const { token, attempt } = value as Record<string, unknown>;
  return typeof token === "string" && Number.isSafeInteger(attempt) && Number(attempt) >= 0;
}

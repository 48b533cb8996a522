import { createHash } from "node:crypto";
import { addressKey, type ChatLimits, type Name, type Refusal, refuse, skeletonOf } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import {
  type ClaimedName,
  type Holder,
  type NewSession,
  type Roster,
  RosterError,
  type RosterUser,
  type TakenSession,
} from "./ports/roster.ts";
import { User } from "./user.ts";

/** The parts that {@link Sessions} uses. */
export interface SessionsOptions {
  readonly roster: Roster;
  readonly limits: ChatLimits;
  /** Returns an unguessable secret. */
  readonly newSecret: () => string;
}

/** The connections' sessions in the roster, and the users that have connections to this node. */
export class Sessions {
  readonly #roster: Roster;
  readonly #limits: ChatLimits;
  readonly #newSecret: () => string;
  readonly #users = new Map<string, User>();

  constructor({ roster, limits, newSecret }: SessionsOptions) {
    this.#roster = roster;
    this.#limits = limits;
    this.#newSecret = newSecret;
  }

  /** Returns the user with this id, if it has a connection to this node. */
  user(id: string): User | undefined {
    return this.#users.get(id);
  }

  /**
   * Opens the session of a connection, with a new user if it has none, or renames its user. The session leaves the
   * rooms in `leaving` before.
   */
  async claim(connection: Connection, name: Name, leaving: readonly Name[]): Promise<Refusal | undefined> {
    const { user, holder } = connection;
    const { node } = this.#roster;
    const claimed: ClaimedName = { text: name.text, key: name.key, skeleton: skeletonOf(name.text) };
    const claim = await (user === undefined
      ? this.#roster.open(this.#newSession(connection, holder.session), claimed)
      : this.#roster.rename(
          holder,
          claimed,
          leaving.map(({ key }) => key),
        ));
    switch (claim) {
      case "in-use":
        return refuse("name-in-use", `The name ${name.text} is in use`);
      case "look-alike":
        return refuse("name-in-use", `The name ${name.text} looks like another that is in use`);
      case "unknown":
        return UNKNOWN;
    }
    await this.#check(node, user === undefined ? holder : undefined);
    if (user === undefined) this.#bind(connection, claim);
    else user.rename(claim.name);
    return undefined;
  }

  /** Gives a connection a session that lasts, for its user if it has one. Returns the session's token. */
  async begin(connection: Connection): Promise<string | Refusal> {
    const token = this.#newSecret();
    const session = sessionOf(token);
    const { user, holder } = connection;
    if (user === undefined) {
      // The session is opened when its user has a name.
      connection.holder = { session, connection: connection.id };
      return token;
    }
    const refusal = await this.#shareAs(connection, session, holder.session);
    return refusal ?? token;
  }

  /** Gives the connection a session of its own, of the same user as the session with this token. */
  async share(connection: Connection, token: string): Promise<string | Refusal> {
    const own = this.#newSecret();
    const refusal = await this.#shareAs(connection, sessionOf(own), sessionOf(token));
    return refusal ?? own;
  }

  /**
   * Gives the connection the session with this token, after `prepare`. The roster reports the connection that it had
   * before.
   */
  async takeOver(
    connection: Connection,
    { token, attempt }: { readonly token: string; readonly attempt: number },
    prepare: (taken: TakenSession) => Promise<void>,
  ): Promise<TakenSession | Refusal> {
    const { node } = this.#roster;
    const address = addressKey(connection.link.address);
    const holder = { session: sessionOf(token), connection: connection.id };
    const taken = await this.#roster.takeOver({ ...holder, address, attempt });
    if (taken === "unknown") return UNKNOWN;
    if (taken === "too-many-connections") return this.#tooManyConnections();
    await this.#end(connection);
    try {
      await prepare(taken);
      await this.#check(node);
    } catch (error) {
      // The client may try again.
      await this.#roster.detach(holder).catch(() => undefined);
      throw error;
    }
    connection.holder = holder;
    connection.attempt = taken.attempt;
    this.#bind(connection, taken.user);
    return taken;
  }

  /** The connection has ended. Its session waits for the client if it lasts. */
  async detach(connection: Connection): Promise<void> {
    const { user, holder } = connection;
    if (user === undefined) return;
    this.#unbind(connection, user);
    await this.#roster.detach(holder);
  }

  /** Ends the connection's session for good. */
  async end(connection: Connection): Promise<void> {
    if (connection.user !== undefined) await this.#roster.end(connection.holder);
  }

  async #shareAs(connection: Connection, session: string, of: string): Promise<Refusal | undefined> {
    const { node } = this.#roster;
    const shared = await this.#roster.share(this.#newSession(connection, session), of);
    if (shared === "unknown") return UNKNOWN;
    if (shared === "too-many-connections") return this.#tooManyConnections();
    const holder = { session, connection: connection.id };
    await this.#check(node, holder);
    await this.#end(connection);
    connection.holder = holder;
    this.#bind(connection, shared);
    return undefined;
  }

  /** Ends the session that a version 1 client may have had before its `hello`. It is in no room. */
  async #end(connection: Connection): Promise<void> {
    const { user, holder } = connection;
    if (user === undefined) return;
    this.#unbind(connection, user);
    await this.#roster.end(holder);
  }

  /**
   * A session that came with an earlier lease has ended with it. If it has the present one, it ends now, as nobody would
   * end it later.
   *
   * @throws {RosterError} `lease-lost` unless the node still has this id.
   */
  async #check(node: string, opened?: Holder): Promise<void> {
    if (this.#roster.node === node) return;
    if (opened !== undefined) await this.#roster.end(opened);
    throw new RosterError("lease-lost", "The session's node has lost its lease");
  }

  #newSession({ id: connection, link }: Connection, session: string): NewSession {
    return { session, connection, address: addressKey(link.address), isLasting: session !== connection };
  }

  #bind(connection: Connection, of: RosterUser): void {
    let user = this.#users.get(of.id);
    if (user === undefined) {
      user = new User(of);
      this.#users.set(of.id, user);
    }
    user.connections.add(connection);
    connection.session.user = user;
  }

  #unbind(connection: Connection, user: User): void {
    connection.session.user = undefined;
    connection.holder = { session: connection.id, connection: connection.id };
    user.connections.delete(connection);
    if (user.connections.size === 0) this.#users.delete(user.id);
  }

  #tooManyConnections(): Refusal {
    const max = this.#limits.connectionsPerPersonMax;
    return refuse("too-many-connections", `A user has at most ${max} connections`);
  }
}

const UNKNOWN = refuse("session-unknown", "There is no such session any more");

/** The id of the session with this token. Only the hash is stored, so that reading the store gives no access. */
function sessionOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

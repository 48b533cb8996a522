import type dgram from "node:dgram";
import { isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { fromNodeError, SocketError } from "../errors.ts";

/** Options for joining and leaving a multicast group. */
export interface MulticastOptions {
  /**
   * The network interface: its name (`eth0`), or for IPv4 its address.
   *
   * @default the system's choice
   */
  readonly interface?: string | undefined;
}

/** The multicast groups of one socket. */
export class MulticastGroups {
  readonly #socket: dgram.Socket;
  readonly #family: 4 | 6;
  readonly #joined = new Set<string>();

  constructor(socket: dgram.Socket, family: 4 | 6) {
    this.#socket = socket;
    this.#family = family;
  }

  join(group: string, options: MulticastOptions = {}): void {
    this.#check(group);
    const key = `${group} ${options.interface ?? ""}`;
    if (this.#joined.has(key)) return;
    const action = `Cannot join the multicast group ${group}`;
    const interfaceAddress = interfaceAddressOf(options.interface, this.#family, action);
    attempt(action, "join", () => this.#socket.addMembership(group, interfaceAddress));
    this.#joined.add(key);
  }

  leave(group: string, options: MulticastOptions = {}): void {
    this.#check(group);
    const key = `${group} ${options.interface ?? ""}`;
    if (!this.#joined.delete(key)) return;
    const action = `Cannot leave the multicast group ${group}`;
    const interfaceAddress = interfaceAddressOf(options.interface, this.#family, action);
    attempt(action, "leave", () => this.#socket.dropMembership(group, interfaceAddress));
  }

  #check(group: string): void {
    const isGroup =
      this.#family === 4 ? /^2(2[4-9]|3\d)\./.test(group) && isIP(group) === 4 : /^ff/i.test(group) && isIPv6(group);
    if (!isGroup) throw new TypeError(`group must be an IPv${this.#family} multicast address: ${group}`);
  }
}

/** What Node wants for an interface: the address of an IPv4 one, `::%eth0` for an IPv6 one. */
export function interfaceAddressOf(name: string, family: 4 | 6, action: string): string;
export function interfaceAddressOf(name: string | undefined, family: 4 | 6, action: string): string | undefined;
export function interfaceAddressOf(name: string | undefined, family: 4 | 6, action: string): string | undefined {
  if (name === undefined || isIP(name) !== 0) return name;
  const addresses = networkInterfaces()[name]?.filter((one) => one.family === `IPv${family}`) ?? [];
  const [first] = addresses;
  if (first === undefined) {
    throw new SocketError("address-not-available", `${action}: no interface ${name} with an IPv${family} address`);
  }
  return family === 4 ? first.address : `::%${name}`;
}

/** Runs a setting of Node's that throws. */
export function attempt(action: string, operation: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw fromNodeError(error, action, { operation });
  }
}

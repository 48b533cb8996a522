import type dgram from "node:dgram";
import { isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { fromNodeError, SocketError, type SocketErrorCode } from "../errors.ts";
import { canonicalHost } from "./udp-address.ts";

/** Options for joining and leaving a multicast group. */
export interface MulticastOptions {
  /**
   * The network interface: its name, such as `eth0`, or one of its addresses.
   *
   * @default the system's choice
   */
  readonly interface?: string | undefined;
}

/**
 * The multicast groups of one socket. The kernel stores them and recognizes different spellings of a group or
 * interface.
 */
export class MulticastGroups {
  readonly #socket: dgram.Socket;
  readonly #family: 4 | 6;

  constructor(socket: dgram.Socket, family: 4 | 6) {
    this.#socket = socket;
    this.#family = family;
  }

  join(group: string, options: MulticastOptions = {}): void {
    this.#check(group);
    const action = `Cannot join the multicast group ${group}`;
    const interfaceAddress = interfaceAddressOf(options.interface, this.#family, action);
    // `address-in-use`: the socket has already joined.
    attempt(action, "join", () => this.#socket.addMembership(group, interfaceAddress), "address-in-use");
  }

  leave(group: string, options: MulticastOptions = {}): void {
    this.#check(group);
    const action = `Cannot leave the multicast group ${group}`;
    const interfaceAddress = interfaceAddressOf(options.interface, this.#family, action);
    // `address-not-available`: the socket has not joined.
    attempt(action, "leave", () => this.#socket.dropMembership(group, interfaceAddress), "address-not-available");
  }

  #check(group: string): void {
    const isGroup =
      this.#family === 4
        ? /^2(2[4-9]|3\d)\./.test(group) && isIP(group) === 4
        : /^ff[^%]*$/i.test(group) && isIPv6(group);
    if (!isGroup) {
      throw new TypeError(`group must be an IPv${this.#family} multicast address without an interface: ${group}`);
    }
  }
}

/** Returns the form that Node expects for an interface: an address for IPv4, `::%eth0` for IPv6. */
export function interfaceAddressOf(given: string, family: 4 | 6, action: string): string;
export function interfaceAddressOf(given: string | undefined, family: 4 | 6, action: string): string | undefined;
export function interfaceAddressOf(given: string | undefined, family: 4 | 6, action: string): string | undefined {
  if (given === undefined || (family === 4 && isIP(given) === 4)) return given;
  const [address = given, scope] = given.split("%", 2);
  const found = Object.entries(networkInterfaces()).find(([name, addresses = []]) =>
    isIP(address) === 0
      ? name === given
      : (scope ?? name) === name && addresses.some((one) => canonicalHost(one.address) === canonicalHost(address)),
  );
  const own = found?.[1]?.find((one) => one.family === `IPv${family}`);
  if (found === undefined || own === undefined) {
    throw new SocketError("address-not-available", `${action}: no interface ${given} with an IPv${family} address`);
  }
  return family === 4 ? own.address : `::%${found[0]}`;
}

/**
 * Runs a call that may throw. Ignores an error with the code `done`, which means that the setting is already as wanted.
 */
export function attempt(action: string, operation: string, run: () => void, done?: SocketErrorCode): void {
  try {
    run();
  } catch (thrown) {
    const error = fromNodeError(thrown, action, { operation });
    if (error.code !== done) throw error;
  }
}

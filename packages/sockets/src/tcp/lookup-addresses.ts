import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { fromNodeError, SocketError } from "../errors.ts";

/** An IP address and its family. */
export interface IpAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * Returns the addresses of a host in the order to try them: IPv6 and IPv4 alternate, beginning with the family of the
 * first address (RFC 8305, section 4). An IP address returns itself.
 *
 * @throws {SocketError} `name-not-found` when the host has no address of the family.
 * @throws {SocketError} `name-lookup-failed` when the lookup failed for now.
 */
export async function lookupAddresses(
  host: string,
  family: 0 | 4 | 6,
  lookup: LookupFunction | undefined,
  action: string,
): Promise<readonly IpAddress[]> {
  const own = isIP(host);
  const found = own === 0 ? await lookUp(host, family, lookup ?? dnsLookup, action) : [{ address: host, family: own }];
  const usable = found.filter(
    (each): each is IpAddress => isIP(each.address) === each.family && (family === 0 || each.family === family),
  );
  if (usable.length > 0) return takeTurns(usable);
  const kind = family === 0 ? "" : ` of family IPv${family}`;
  throw new SocketError("name-not-found", `${action}: the name has no address${kind}`, { operation: "lookup" });
}

function lookUp(
  host: string,
  family: 0 | 4 | 6,
  lookup: LookupFunction,
  action: string,
): Promise<readonly LookupAddress[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly LookupAddress[]>();
  const fail = (error: unknown): void => reject(fromNodeError(error, action, { operation: "lookup" }));
  try {
    lookup(host, { all: true, family }, (error, answer, answeredFamily) => {
      if (error !== null && error !== undefined) fail(error);
      // A custom `lookup` may ignore `all` and return one address.
      else if (Array.isArray(answer)) resolve(answer.filter((each) => typeof each?.address === "string"));
      else resolve(typeof answer === "string" ? [{ address: answer, family: answeredFamily ?? isIP(answer) }] : []);
    });
  } catch (error) {
    fail(error);
  }
  return promise;
}

function takeTurns(addresses: readonly IpAddress[]): readonly IpAddress[] {
  const firsts = addresses.filter(({ family }) => family === addresses[0]?.family);
  const others = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const turns: IpAddress[] = [];
  for (let i = 0; i < Math.max(firsts.length, others.length); i += 1) {
    for (const each of [firsts[i], others[i]]) if (each !== undefined) turns.push(each);
  }
  return turns;
}

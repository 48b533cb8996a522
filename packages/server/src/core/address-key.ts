/**
 * Returns the key under which an address is rate-limited: an IPv4 address (also if written as IPv6), or the first 64
 * bits of an IPv6 address. The holder of one IPv6 address usually controls the whole /64 network.
 */
export function addressKey(host: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  if (!host.includes(":")) return host;
  const [front = "", back] = host.replace(/%.*$/, "").split("::");
  const groups = groupsOf(front);
  if (back !== undefined) {
    const zeros = Math.max(0, 8 - groups.length - groupsOf(back).length);
    groups.push(...Array<string>(zeros).fill("0"), ...groupsOf(back));
  }
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

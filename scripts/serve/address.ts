// Addresses that the server listens at: which of them other machines cannot reach, and how a client writes them.
import { BlockList, isIP, isIPv6 } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Every address of the machine, and the one that a client on the machine itself uses for it. */
const ANY_ADDRESS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** True for names and addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === "localhost";
  return LOOPBACK.check(host, version === 6 ? "ipv6" : "ipv4");
}

/** `http://host:port`, for a client on this machine. */
export function baseUrl(host: string, port: number): string {
  const name = ANY_ADDRESS[host] ?? host;
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`;
}

/**
 * Hosts that a stage may connect to: only those that its parameters name. A parameter whose name ends in `_url` is the
 * address of one. Launcher, process executor and server share this rule, so that stages need no lists of hosts.
 * @module
 */
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** Environment variable `HOST:PORT=TOKEN`: a bearer token and the only host that gets it. Only stages with a `_url` parameter may read it. */
export const URL_TOKEN = "SRPPO_URL_TOKEN";

/** One host: a name, an IPv4 address, or an IPv6 address in brackets. Without `*` and `,`, which mean several hosts in a permission. */
const ONE_HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;

/**
 * Returns the host of an http or https address as `host:port`, the format of `--allow-net`.
 * @returns undefined for any other text
 * @example The port is always included
 * ```ts
 * import { hostOf } from "@/lib/data/contracts/reached_hosts.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(hostOf("https://judge.example/score?version=2"), "judge.example:443");
 * assertEquals(hostOf("judge.example"), undefined);
 * ```
 */
export function hostOf(address: string): string | undefined {
  const url = URL.parse(address), standard = { "http:": "80", "https:": "443" }[url?.protocol ?? ""];
  if (!url || standard === undefined || !ONE_HOST.test(url.hostname)) return undefined;
  return `${url.hostname}:${url.port || standard}`;
}

/** Returns the hosts that `params` name, each once. Invalid addresses are skipped: the stage reports them. */
export function reachedHosts(params: Readonly<Record<string, unknown>>): string[] {
  const hosts = Object.entries(params).flatMap(([name, value]) =>
    name.endsWith("_url") && typeof value === "string" ? [hostOf(value)] : []
  );
  return [...new Set(hosts.filter((host) => host !== undefined))];
}

/**
 * Returns the bearer token for `address` from the text of {@linkcode URL_TOKEN}; undefined where it is for another host, or
 * there is none.
 * @throws {UsageError} if the text does not name the host, without the text itself
 */
export function urlToken(text: string | undefined, address: string): string | undefined {
  if (text === undefined || text === "") return undefined;
  const at = text.indexOf("="), place = text.slice(0, Math.max(at, 0));
  const host = /^[^/\\?#@\s]+:\d+$/.test(place) ? hostOf(`http://${place}`) : undefined;
  if (host === undefined) {
    throw new UsageError(
      `${URL_TOKEN} must be HOST:PORT=TOKEN, such as judge.example:443=TOKEN, so that no other host gets the token; ` +
        "got a value without HOST:PORT= (it is not shown)",
    );
  }
  return host === hostOf(address) ? text.slice(at + 1) : undefined;
}

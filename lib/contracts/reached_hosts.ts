/**
 * Which hosts a stage may reach: none, but those that its parameters name. A parameter whose name ends in `_url` holds the
 * address of one. Launcher, process executor and server read this rule here, so that a stage needs no list of its own.
 * @module
 */

/** Environment variable with a bearer token for the hosts that `_url` parameters name; only stages with such a parameter may read it. */
export const URL_TOKEN = "SRPPO_URL_TOKEN";

/** One host: a name or an IPv4 address, or an IPv6 address in brackets. Neither `*` nor `,`, which a permission would take for several. */
const ONE_HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;

/**
 * The host of an http or https address as `host:port`, which is how `--allow-net` spells it.
 * @returns undefined for any other text
 * @example The port is always there
 * ```ts
 * import { hostOf } from "@/lib/contracts/reached_hosts.ts";
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

/** Hosts that `params` name, each once. What holds no address names none: its stage refuses it. */
export function reachedHosts(params: Readonly<Record<string, unknown>>): string[] {
  const hosts = Object.entries(params).flatMap(([name, value]) =>
    name.endsWith("_url") && typeof value === "string" ? [hostOf(value)] : []
  );
  return [...new Set(hosts.filter((host) => host !== undefined))];
}

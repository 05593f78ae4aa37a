/** Which paths a stage's command line reads and writes and which hosts it reaches, for the permissions of its process. @module */
import { dirname, resolve } from "node:path";
import { reachedHosts } from "@/lib/contracts/reached_hosts.ts";
import { namedPaths } from "@/lib/files/file_pattern.ts";

/**
 * Paths behind `--in.…` (read), and the folders of those behind `--out.…` and `--scratch` (written), absolute. The values
 * themselves are the stage's matter.
 */
export function stagePaths(
  args: readonly string[],
  workingDirectory: string,
): { readonly read: readonly string[]; readonly write: readonly string[] } {
  const read: string[] = [];
  const write: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const match = /^--(in|out|scratch)\b[^=]*(?:=(.*))?$/s.exec(args[i]!);
    const value = match?.[2] ?? (match && args[i + 1]?.startsWith("--") === false ? args[i + 1] : undefined);
    if (value === undefined) continue;
    const path = resolve(workingDirectory, value);
    if (match![1] === "in") read.push(...namedPaths(path));
    else write.push(match![1] === "out" ? dirname(path) : path);
  }
  return { read, write };
}

/** Hosts behind `--…_url`, as `host:port`. */
export function stageHosts(args: readonly string[]): string[] {
  const addresses = args.flatMap((arg, k) => {
    const match = /^--([^=.]+)(?:=(.*))?$/s.exec(arg), value = match?.[2] ?? args[k + 1];
    // Flags may be given twice, and hyphens stand for underscores: what the stage makes of that is its matter.
    return match && value !== undefined ? reachedHosts({ [match[1]!.replaceAll("-", "_")]: value }) : [];
  });
  return [...new Set(addresses)];
}

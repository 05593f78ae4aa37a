/** Which paths a stage's command line reads and writes, for the permissions of its process. @module */
import { dirname, resolve } from "node:path";
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

/**
 * Where a file or an import specifier stands: room, package, path from the root of the project. Text in, text out.
 * @module
 */
import { dirname, join, normalize } from "node:path/posix";

/** The room of a path from the root (`lib/rl/gae.ts` → `lib/rl`), or undefined for files outside the rooms. */
export function roomOf(path: string): string | undefined {
  const [top, second, third] = path.split("/");
  if (top === "lib") return second === "std" ? `lib/std/${third}` : `lib/${second}`;
  if (top === "stages") return `stages/${second}`;
  return top === "tests" || top === "pipelines" || top === "fixtures" ? top : undefined;
}

/** The key of the import table that speaks for `room`: all stages share one row. */
export function tableKey(room: string): string {
  return room.startsWith("stages/") ? "stages" : room;
}

/** True for files that only tests load. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || /_(test|bench)\.ts$/.test(path);
}

/** What an import specifier means. */
export type Target =
  | { readonly kind: "relative" | "rooted"; /** from the root of the project */ readonly path: string }
  | {
    readonly kind: "package"; /** without version and subpath */
    readonly name: string;
    readonly bare: boolean;
  }
  | { readonly kind: "builtin" | "url" };

/** Reads `specifier` as the file at `from` (a path from the root) would. */
export function targetOf(specifier: string, from: string): Target {
  if (specifier.startsWith("@/")) return { kind: "rooted", path: normalize(specifier.slice(2)) };
  if (/^\.{1,2}\//.test(specifier)) return { kind: "relative", path: join(dirname(from), specifier) };
  if (specifier.startsWith("node:")) return { kind: "builtin" };
  const [, scheme, rest = ""] = specifier.match(/^(npm:|jsr:)?\/?(.*)$/s) ?? [];
  if (scheme === undefined && /^[a-z][a-z0-9+.-]*:/i.test(rest)) return { kind: "url" };
  const name = rest.match(/^(@[^/]+\/[^/@]+|[^/@]+)/)?.[0] ?? rest;
  return { kind: "package", name, bare: scheme === undefined };
}

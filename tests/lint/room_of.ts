/**
 * Resolves a file or an import specifier to its room, package, or path from the root of the project.
 * @module
 */
import { dirname, join, normalize } from "node:path/posix";
import { SINGLE_ROOMS } from "./rooms.ts";

/** Returns the room of a path from the root (`lib/model/rl/gae.ts` → `lib/model/rl`), or undefined for files outside the rooms. */
export function roomOf(path: string): string | undefined {
  const [top, second, third] = path.split("/");
  if (top === "lib") return SINGLE_ROOMS.includes(second!) ? `lib/${second}` : `lib/${second}/${third}`;
  if (top === "stages") return `stages/${second}`;
  return top === "tests" || top === "pipelines" || top === "fixtures" ? top : undefined;
}

/** Returns the key of `room` in the import table: all stages share one row. */
export function tableKey(room: string): string {
  return room.startsWith("stages/") ? "stages" : room;
}

/** Returns true for files that only tests load. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || /_(test|bench)\.ts$/.test(path);
}

/** Meaning of an import specifier. */
export type Target =
  | { readonly kind: "relative" | "rooted"; /** from the root of the project */ readonly path: string }
  | {
    readonly kind: "package"; /** without version and subpath */
    readonly name: string;
    readonly bare: boolean;
  }
  | { readonly kind: "builtin" | "url" };

/** Returns the meaning of `specifier` in the file at `from` (a path from the root). */
export function targetOf(specifier: string, from: string): Target {
  if (specifier.startsWith("@/")) return { kind: "rooted", path: normalize(specifier.slice(2)) };
  if (/^\.{1,2}\//.test(specifier)) return { kind: "relative", path: join(dirname(from), specifier) };
  if (specifier.startsWith("node:")) return { kind: "builtin" };
  const [, scheme, rest = ""] = specifier.match(/^(npm:|jsr:)?\/?(.*)$/s) ?? [];
  if (scheme === undefined && /^[a-z][a-z0-9+.-]*:/i.test(rest)) return { kind: "url" };
  const name = rest.match(/^(@[^/]+\/[^/@]+|[^/@]+)/)?.[0] ?? rest;
  return { kind: "package", name, bare: scheme === undefined };
}

/**
 * The reason why a node runs: which parts of its key changed since the last run in this run directory, old → new.
 * @module
 */
import type { InputDigest, KeyParts } from "./key.ts";

/** The reason in a run with `--fresh`. */
export const FRESH = "--fresh ignores the cache";

/** Returns one line: the changed parts, or that there was no earlier run. */
export function reasonToRun(parts: KeyParts, before: KeyParts | undefined): string {
  if (!before) return "not run before";
  const changes: string[] = [];
  const compare = (name: string, old: string | undefined, now: string | undefined) => {
    if (old !== now) changes.push(`${name}: ${old ?? "none"} → ${now ?? "none"}`);
  };
  compare("stage", before.stage, parts.stage);
  compare("code", short(before.code), short(parts.code));
  for (const name of union(before.params, parts.params)) {
    compare(name, JSON.stringify(before.params[name]), JSON.stringify(parts.params[name]));
  }
  for (const name of union(before.inputs, parts.inputs)) {
    const old = digestsByName(before.inputs[name]), now = digestsByName(parts.inputs[name]);
    for (const key of union(old, now)) compare(`input ${name}${key}`, short(old[key]), short(now[key]));
  }
  for (const name of ["seed", "index", "iteration"] as const) {
    compare(name, before[name]?.toString(), parts[name]?.toString());
  }
  return changes.length === 0 ? "its outputs are not in the store" : changes.join(", ");
}

function digestsByName(digest: InputDigest | undefined): Readonly<Record<string, string>> {
  if (digest === undefined) return {};
  if (typeof digest === "string") return { "": digest };
  const entries = Array.isArray(digest)
    ? digest.map((d: string, i) => [`[${i}]`, d])
    : Object.entries(digest).map(([key, d]) => [`.${key}`, d]);
  return Object.fromEntries(entries);
}

function union(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
}

function short(digest: string | undefined): string | undefined {
  return digest?.slice(0, 8);
}

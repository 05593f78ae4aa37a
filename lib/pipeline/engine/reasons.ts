/**
 * The reason why a node runs: which parts of its key changed since the last run in this run directory, old → new.
 * @module
 */
import type { InputDigest, KeyParts } from "./key.ts";

/** Returns the reason why a stage runs whatever the store has; undefined if nothing forces it. */
export function forcedReason(
  { fresh, forced }: { readonly fresh?: boolean; readonly forced?: ReadonlySet<string> },
  path: string,
): string | undefined {
  if (fresh) return "--fresh ignores the cache";
  return forced?.has(path) ? "--force ignores the cache" : undefined;
}

/** Returns one line: the changed parts, or that there was no earlier run. */
export function reasonToRun(parts: KeyParts, before: KeyParts | undefined): string {
  if (!before) return "not run before";
  const changes = changesOf(parts, before, 8);
  return changes.length === 0 ? "its outputs are not in the store" : changes.join(", ");
}

/** Returns the changed parts of a key, old → new. @param digits of digests */
export function changesOf(parts: KeyParts, before: KeyParts, digits = 64): string[] {
  const changes: string[] = [];
  const short = (digest: string | undefined) => digest?.slice(0, digits);
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
  return changes;
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

/**
 * Why a node runs: which part of its key changed since the last run in this run directory, old → new.
 * @module
 */
import type { InputDigest, KeyParts } from "./key.ts";

/** One line: the changed parts, or that there was no earlier run. */
export function reasonToRun(parts: KeyParts, before: KeyParts | undefined): string {
  if (!before) return "no earlier run";
  const changes: string[] = [];
  if (before.stage !== parts.stage) changes.push(`stage: ${before.stage} → ${parts.stage}`);
  if (before.code !== parts.code) changes.push(`code: ${short(before.code)} → ${short(parts.code)}`);
  for (const name of union(before.params, parts.params)) {
    const [old, now] = [show(before.params[name]), show(parts.params[name])];
    if (old !== now) changes.push(`${name}: ${old} → ${now}`);
  }
  for (const name of union(before.inputs, parts.inputs)) {
    changes.push(...inputChanges(name, before.inputs[name], parts.inputs[name]));
  }
  for (const name of ["seed", "index", "iteration"] as const) {
    if (before[name] !== parts[name]) {
      changes.push(`${name}: ${before[name] ?? "none"} → ${parts[name] ?? "none"}`);
    }
  }
  return changes.length === 0 ? "its outputs are not in the store" : changes.join(", ");
}

function inputChanges(name: string, old: InputDigest | undefined, now: InputDigest | undefined): string[] {
  const a = entries(old);
  const b = entries(now);
  return union(a, b).filter((key) => a[key] !== b[key])
    .map((key) => `input ${name}${key}: ${short(a[key])} → ${short(b[key])}`);
}

function entries(digest: InputDigest | undefined): Record<string, string> {
  if (digest === undefined) return {};
  if (typeof digest === "string") return { "": digest };
  if (Array.isArray(digest)) return Object.fromEntries(digest.map((d: string, i) => [`[${i}]`, d]));
  return Object.fromEntries(Object.entries(digest).map(([key, d]) => [`.${key}`, d as string]));
}

function union(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
}

function short(digest: string | undefined): string {
  return digest === undefined ? "none" : digest.slice(0, 8);
}

function show(value: unknown): string {
  return value === undefined ? "none" : JSON.stringify(value);
}

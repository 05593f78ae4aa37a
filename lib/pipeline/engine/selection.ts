/**
 * Selects a part of a plan by the flags `--to`, `--from` and `--only`. Keys do not change, so a later run of everything uses
 * the results of a run of a part.
 * @module
 */
import { listed } from "@/lib/compute/tensor/listed.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { allStages, type Blueprint, type EntryPlan, isBlock, type Reference } from "./blueprint.ts";
import type { DryRunNode } from "./dry_run.ts";
import { entryName, sourceStages, stagesOf } from "./order.ts";
import { suggestion } from "./suggest.ts";

/** Stages and blocks by name, as flags give them; a block runs as a whole. */
export interface PartFlags {
  /** run these and what they read */
  readonly to?: readonly string[];
  /** run these and everything that reads from them */
  readonly from?: readonly string[];
  /** run these */
  readonly only?: readonly string[];
}

/** A part of a plan. */
export interface SelectedPart {
  readonly blueprint: Blueprint;
  /** names of entries that may run; all others must be in the store */
  readonly mayRun: ReadonlySet<string>;
}

/**
 * Returns the part of `blueprint` that `selection` names, with everything that it reads, and the manifest's outputs that come
 * from there. Without a selection it is the whole.
 * @throws {UsageError} listing the names that are not an entry, and flags that exclude each other
 */
export function selectPart(blueprint: Blueprint, selection: PartFlags): SelectedPart {
  const { to, from, only } = selection;
  if (only && (to || from)) throw new UsageError("--only excludes --to and --from");
  const entries = new Map(blueprint.entries.map((entry) => [entry.name, entry]));
  checkNames(blueprint, entries, selection);
  const all = new Set(entries.keys());
  const upTo = to ? upstream(to, entries) : all;
  const mayRun = only ? new Set(only) : intersection(upTo, from ? downstream(from, entries) : all);
  const kept = upstream(mayRun, entries);
  const isKept = (reference: Reference) => stagesOf(reference).every((stage) => kept.has(entryName(stage)));
  return {
    blueprint: {
      ...blueprint,
      entries: blueprint.entries.filter(({ name }) => kept.has(name)),
      outputs: Object.fromEntries(Object.entries(blueprint.outputs).filter(([, r]) => isKept(r))),
    },
    mayRun,
  };
}

/**
 * Checks that everything that `--from` or `--only` leaves out is in the store.
 * @param nodes of a dry run of the part
 * @throws {UsageError} listing the stages that would have to run
 */
export function requireCached(nodes: readonly DryRunNode[], { mayRun }: Pick<SelectedPart, "mayRun">): void {
  const missing = nodes.filter(({ runs, stage }) => runs && !mayRun.has(stage.split(".")[0]!));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map(({ stage }) => stage))];
  throw new UsageError(
    `--from and --only need the results of all other stages in the store, got none of ${
      listed(names, { most: 10, separator: ", " })
    }. ` +
      `Run without the flag, or first with --to ${names.map((name) => name.split(".")[0]).at(-1)}`,
  );
}

/**
 * Returns the paths of the stages that `--force` names: stages, stages in blocks (`ppo.rollout`), or whole blocks.
 * @throws {UsageError} listing the names that are none of these
 */
export function forcedStages(blueprint: Blueprint, names: readonly string[]): ReadonlySet<string> {
  const stages = allStages(blueprint),
    known = stages.flatMap(({ path, block }) => [path, block?.name ?? path]);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const list = unknown.map((name) => `"${name}"${suggestion(name, known)}`).join("; ");
    throw new UsageError(`--force must name stages or blocks that run, got ${list}`);
  }
  return new Set(
    stages.filter(({ path, block }) => names.includes(path) || (block && names.includes(block.name)))
      .map(({ path }) => path),
  );
}

function checkNames(
  { manifest }: Blueprint,
  entries: ReadonlyMap<string, EntryPlan>,
  selection: PartFlags,
): void {
  const problems = (["to", "from", "only"] as const).flatMap((flag) => {
    const unknown = (selection[flag] ?? []).filter((name) => !entries.has(name)).map((name) => {
      const block = entries.get(name.split(".")[0]!);
      return block && isBlock(block)
        ? `"${name}" (in block "${block.name}", which runs as a whole)`
        : `"${name}"${suggestion(name, entries.keys())}`;
    });
    return unknown.length === 0
      ? []
      : [`--${flag} must name stages or blocks of ${manifest}, got ${unknown.join("; ")}`];
  });
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
}

/** Returns `names` and all entries that they read. */
function upstream(names: Iterable<string>, entries: ReadonlyMap<string, EntryPlan>): Set<string> {
  const kept = new Set<string>();
  const keep = (name: string) => {
    if (kept.has(name)) return;
    kept.add(name);
    for (const source of sourcesOf(entries.get(name)!)) keep(source);
  };
  for (const name of names) keep(name);
  return kept;
}

/** Returns `names` and all entries that read from them. */
function downstream(names: readonly string[], entries: ReadonlyMap<string, EntryPlan>): Set<string> {
  const found = new Set(names);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const [name, entry] of entries) {
      if (sourcesOf(entry).some((source) => found.has(source))) found.add(name);
    }
  }
  return found;
}

function sourcesOf(entry: EntryPlan): string[] {
  return sourceStages(entry).map(entryName);
}

function intersection<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): Set<T> {
  return new Set([...a].filter((value) => b.has(value)));
}

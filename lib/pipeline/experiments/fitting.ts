/**
 * Applies settings and inputs to manifests. Those of an arm or a prepared run must fit its manifest. Those of several arms
 * must fit at least one manifest and change every manifest that they fit: `members.count` of an experiment does not change
 * a manifest without members.
 * @module
 */
import { isAbsolute, resolve } from "node:path";
import type { Manifest } from "@/lib/pipeline/engine/manifest.ts";
import type { PlacedProblem, YamlPath } from "@/lib/pipeline/engine/placed_yaml.ts";
import { parseSettings, settingProblem } from "@/lib/pipeline/engine/settings.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { preparedReference } from "./experiment_reader.ts";

/** Settings and inputs of a run. */
export interface Changes {
  /** as for `--set`; later ones win */
  readonly settings: readonly string[];
  /** absolute paths, models on the hub, or `prepare.NAME.OUTPUT` */
  readonly inputs: Readonly<Record<string, string>>;
}

/** A setting or an input with its place in the file; an empty place is the command line. */
interface Change<T> {
  readonly what: T;
  readonly at: YamlPath;
}

/** The changes of one entry of an experiment, or of the command line. */
export interface ChangeLayer {
  readonly set: readonly Change<string>[];
  readonly inputs: readonly Change<readonly [name: string, path: string]>[];
}

/** Returns the changes of the entry at `at`. */
export function layerOf(
  { set, inputs }: { readonly set: readonly string[]; readonly inputs: Readonly<Record<string, string>> },
  at: YamlPath,
): ChangeLayer {
  return {
    set: set.map((what, k) => ({ what, at: [...at, "set", k] })),
    inputs: Object.entries(inputs).map(([name, path]) => ({
      what: [name, path] as const,
      at: [...at, "inputs", name],
    })),
  };
}

/** Collects the changes that fit, and problems. */
export class Fitting {
  /** shared changes by place: whether one fits somewhere, and the first reason why it does not */
  readonly #shared = new Map<string, { readonly at: YamlPath; readonly reason: string; fits: boolean }>();

  constructor(
    readonly manifests: ReadonlyMap<string, Manifest>,
    readonly root: string,
    readonly problems: PlacedProblem[],
  ) {}

  /** Returns settings and inputs of a run, later ones win; undefined where its manifest could not be read. */
  apply(
    path: string,
    lenient: readonly ChangeLayer[],
    strict: readonly ChangeLayer[],
    calls: ChangeLayer,
  ): Changes | undefined {
    const manifest = this.manifests.get(path);
    if (manifest === undefined) return undefined;
    const settings: string[] = [];
    const inputs: Record<string, string> = {};
    for (const layer of [...lenient, ...strict, calls]) {
      const mustFit = strict.includes(layer);
      for (const { what, at } of layer.set) {
        const [setting] = parseSettings([what]);
        const problem = settingProblem(manifest, setting!);
        const reason = problem && at.length === 0 ? `${JSON.stringify(what)}: ${problem}` : problem;
        if (this.#fits(JSON.stringify([at, what]), at, reason, mustFit)) settings.push(what);
      }
      for (const { what: [name, input], at } of layer.inputs) {
        const names = Object.keys(manifest.inputs);
        const reason = names.includes(name)
          ? undefined
          : `unknown input "${name}" in ${path}${suggestion(name, names)}`;
        if (this.#fits(JSON.stringify(at), at, reason, mustFit)) inputs[name] = this.#located(input);
      }
    }
    return { settings, inputs };
  }

  /** Adds a problem for every shared change that fits nowhere. @throws {UsageError} for settings of the command line */
  finish(): void {
    const odd: string[] = [];
    for (const { at, reason, fits } of this.#shared.values()) {
      if (fits) continue;
      if (at.length > 0) this.problems.push({ at, message: reason });
      else odd.push(reason);
    }
    if (odd.length === 0) return;
    throw new UsageError(`Invalid value for --set: no manifest of the experiment has it: ${odd.join("; ")}`);
  }

  #fits(key: string, at: YamlPath, reason: string | undefined, mustFit: boolean): boolean {
    if (mustFit) {
      if (reason === undefined) return true;
      // An arm is checked once for every point of the grid.
      const known = this.problems.some((p) => p.at.join("/") === at.join("/"));
      if (!known) this.problems.push({ at, message: reason });
      return false;
    }
    const known = this.#shared.get(key);
    if (known === undefined) this.#shared.set(key, { at, reason: reason ?? "", fits: reason === undefined });
    else known.fits ||= reason === undefined;
    return reason === undefined;
  }

  #located(path: string): string {
    const isElsewhere = isAbsolute(path) || path.startsWith("hf:") || preparedReference(path) !== undefined;
    return isElsewhere ? path : resolve(this.root, path);
  }
}

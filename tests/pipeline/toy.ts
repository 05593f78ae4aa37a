/** A small project for tests of the pipeline: manifests over the stages of tests/support/stages. @module */
import { join } from "node:path";
import { projectRoot, stagesIn } from "@/lib/app/registry.ts";
import type { RunEvent, RunResult } from "@/lib/data/contracts/events.ts";
import { allStages, type Blueprint } from "@/lib/pipeline/engine/blueprint.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { type Executor, inlineExecutor } from "@/lib/pipeline/engine/task.ts";
import { placedExecutor } from "@/lib/pipeline/executors/placed_executor.ts";
import { checkSite, parseSite } from "@/lib/pipeline/executors/site.ts";
import { resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { processExecutor } from "@/lib/pipeline/executors/process_executor.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { dryRun } from "@/lib/pipeline/engine/dry_run.ts";
import {
  forcedStages,
  type PartFlags,
  requireCached,
  type SelectedPart,
  selectPart,
} from "@/lib/pipeline/engine/selection.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

/** The test stages. */
export const toyStages = stagesIn(join(projectRoot, "tests/support/stages"));
/** Their code. */
export const toyCode = openCodeDigests(projectRoot);

/** A manifest with every construct: a chain, copies, iterations that end early, a best iteration, lists and maps. */
export const TOY = `
inputs: { base: base, first: first.txt }
stages:
  write: { uses: write-text, in: { text: inputs.first }, with: { word: b } }
  copies:
    foreach: { count: 3 }
    stages:
      write: { uses: write-text, in: { text: write.text }, seed: copy }
  loop:
    iterate:
      count: 6
      carry: { model: inputs.base, state: null }
      until: { metric: count.metrics.stopped, above: 0 }
      best: { metric: judge.evals.score }
    stages:
      count: { uses: count-iterations, in: { model: carry.model, state: carry.state, texts: copies.write.text }, with: { add: 2, limit: 9 } }
      join: { uses: join-text, in: { texts: count.metrics }, every: 2 }
      judge: { uses: judge-models, in: { models: { count: count.model } }, with: { target: 5 }, every: 2 }
    next: { model: count.model, state: count.state }
  all: { uses: join-text, in: { texts: copies.write.text, named: { base: inputs.base, loop: loop.model } } }
  metrics: { uses: join-text, in: { texts: loop.metrics } }
outputs: { text: all.text, model: loop.model, best: loop.best }
`;

/** Options of a toy run. */
export interface ToyOptions extends PartFlags {
  readonly manifest?: string;
  readonly set?: readonly string[];
  /** stages or blocks whose cached results are ignored */
  readonly force?: readonly string[];
  readonly seed?: number;
  readonly runDir?: string;
  readonly storeDir?: string;
  /** a site's executors are found in `path`, with a site file's text */
  readonly executor?: "inline" | "process" | { readonly site: string; readonly path: string };
  readonly threads?: number;
  readonly fresh?: boolean;
  readonly signal?: AbortSignal;
  readonly listener?: (event: RunEvent) => void;
  readonly warn?: (message: string) => void;
}

/** A folder with the toy's inputs. */
export class ToyProject extends TemporaryDirectory {
  constructor() {
    super();
    Deno.mkdirSync(this.file("base"));
    this.write("base/value.txt", "1");
    this.write("first.txt", "first\n");
  }

  /** Returns the plan of a manifest in this folder. */
  async blueprint(options: ToyOptions = {}): Promise<Blueprint> {
    return (await this.part(options)).blueprint;
  }

  /** Returns the part of a manifest in this folder that the options select. */
  async part(options: ToyOptions = {}): Promise<SelectedPart> {
    const source = parseManifest(options.manifest ?? TOY, "toy.yaml");
    const manifest = applySettings(source.manifest, parseSettings(options.set ?? []));
    const inputs = resolveInputs(manifest, {}, { root: this.path, workingDirectory: this.path });
    const whole = await makeBlueprint({ ...source, manifest }, toyStages, {
      inputs,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    });
    return selectPart(whole, options);
  }

  /** Runs a manifest and returns the result with the events of the run. */
  async run(options: ToyOptions = {}): Promise<RunResult & { readonly events: readonly RunEvent[] }> {
    const events: RunEvent[] = [];
    const runDir = options.runDir ?? this.file("run");
    const { blueprint, mayRun } = await this.part(options);
    const common = {
      stages: toyStages,
      code: toyCode,
      runDir,
      storeDir: options.storeDir ?? join(runDir, "store"),
      fresh: options.fresh ?? false,
      forced: forcedStages(blueprint, options.force ?? []),
    };
    if (options.from || options.only) requireCached(await dryRun(blueprint, common), { mayRun });
    const result = await runPipeline(blueprint, {
      ...common,
      executor: toyExecutor(blueprint, options),
      threads: options.threads ?? 2,
      patienceMs: 1,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.warn ? { warn: options.warn } : {}),
      listener: (event) => {
        events.push(event);
        options.listener?.(event);
      },
    });
    return { ...result, events };
  }

  /** Returns the content of a run's outputs. */
  outputs(result: Pick<RunResult, "outputs">): Record<string, string> {
    const read = (path: string) =>
      Deno.readTextFileSync(Deno.statSync(path).isDirectory ? join(path, "value.txt") : path);
    return Object.fromEntries(Object.entries(result.outputs).map(([name, path]) => [name, read(path)]));
  }
}

function toyExecutor(blueprint: Blueprint, { executor = "inline", warn = () => {} }: ToyOptions): Executor {
  if (executor === "process") return processExecutor({ stages: toyStages, root: projectRoot });
  if (executor === "inline") return inlineExecutor(toyStages);
  const site = parseSite(executor.site, "site.yaml"), kill = new AbortController().signal;
  checkSite(site, blueprint, "site.yaml", undefined);
  const common = { site, stages: toyStages, root: projectRoot, keepEnv: [], kill, warn, path: executor.path };
  return placedExecutor(allStages(blueprint).map(({ path }) => path), common);
}

/** Returns the ids of the nodes that ran, `loop.count[2]`, sorted. */
export function ran(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type !== "stage_finished") return [];
    const number = event.index ?? event.iteration;
    return [number === undefined ? event.stage : `${event.stage}[${number}]`];
  }).sort();
}

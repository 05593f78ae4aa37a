/** Runs a stage's function on files of a test's own directory. @module */
import { join } from "node:path";
import type { z } from "zod";
import type { InputPaths, Stage, StageProgress } from "@/lib/data/contracts/stage.ts";
import { checkNeeds } from "@/lib/pipeline/engine/task.ts";

/** Arguments of a run; all except the inputs have defaults. */
export interface StageRun {
  readonly inputs: InputPaths;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly iteration?: number;
  /** device that computes; default: the processor */
  readonly device?: string;
  readonly scratch?: string;
  /** interrupts the stage after this many progress reports */
  readonly stopAfter?: number;
  readonly progress?: (progress: StageProgress) => void;
}

/** Runs `stage` with its outputs below `home`. @returns the path of every output */
export async function runStage<Schema extends z.ZodObject>(
  stage: Stage<Schema>,
  home: string,
  { inputs, params = {}, seed = 0, iteration = 0, device, scratch, stopAfter = Infinity, progress }: StageRun,
): Promise<Record<string, string>> {
  const outputs = Object.fromEntries(Object.keys(stage.outputs).map((port) => [port, join(home, port)]));
  const stop = new AbortController();
  let reports = 0;
  const parsed = stage.params.parse(params);
  checkNeeds(stage, parsed, inputs);
  await stage.run({
    params: parsed,
    inputs,
    outputs,
    seed,
    iteration,
    ...(scratch === undefined ? {} : { scratch }),
    ...(device === undefined ? {} : { device }),
    threads: navigator.hardwareConcurrency,
    signal: stop.signal,
    progress(report) {
      progress?.(report);
      if (++reports >= stopAfter) stop.abort();
    },
  });
  return outputs;
}

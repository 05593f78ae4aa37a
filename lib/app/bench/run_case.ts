/** Runs one case: the work, the ceilings beside it, and, where asked for, a profile of its sessions. @module */
import { join } from "node:path";
import { ORT_VERSION } from "@/lib/ort/library.ts";
import { profileSessions } from "@/lib/ort/profiling.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import type { CaseSpec } from "./bench_case.ts";
import { type CeilingOptions, Ceilings, usualCeilings } from "./ceilings.ts";
import { benchGenerate } from "./generate_case.ts";
import { benchIteration } from "./iteration_case.ts";
import { peakMemoryBytes, processor } from "./process_figures.ts";
import { type ProfileLine, readProfiles } from "./profile.ts";
import { type BenchRecord, makeRecord } from "./record.ts";
import { benchTrain } from "./train_case.ts";

/** Lines of a profile that are told. */
const PROFILE_LINES = 20;

/** How a case is run. */
export interface RunOptions {
  /** an empty directory */
  readonly directory: string;
  readonly profile?: boolean;
  /** default: what the case is held against */
  readonly ceilings?: CeilingOptions;
}

/** Measures a case. The number of threads is that of the process: the first case fixes it. */
export async function runCase(
  spec: CaseSpec,
  options: RunOptions,
): Promise<{ readonly record: BenchRecord; readonly profile?: readonly ProfileLine[] }> {
  configureRuntime({ threads: spec.threads });
  const profiles = join(options.directory, "profiles");
  if (options.profile) Deno.mkdirSync(profiles);
  const profiler = options.profile ? profileSessions(join(profiles, "session")) : undefined;
  let ceilings: Ceilings | undefined, peak = 0;
  const warmedUp = () => {
    profiler?.stop();
    peak = peakMemoryBytes();
    return ceilings = new Ceilings(options.ceilings ?? usualCeilings(spec.shape));
  };
  const result = spec.kind === "train"
    ? benchTrain(spec, warmedUp)
    : spec.kind === "generate"
    ? benchGenerate(spec, warmedUp)
    : await benchIteration(spec, warmedUp, options.directory);
  const record = makeRecord(spec, result, {
    peakMemoryBytes: peak,
    ceilings: ceilings!.figures(),
    machine: { ...processor(), onnxruntime: ORT_VERSION, deno: Deno.version.deno },
  });
  if (!profiler) return { record };
  profiler.end();
  return { record, profile: readProfiles(profiles, PROFILE_LINES) };
}

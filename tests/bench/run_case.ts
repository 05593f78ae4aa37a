/** Runs one case with its ceilings, and optionally with a profile of its sessions. @module */
import { join } from "node:path";
import { ORT_VERSION } from "@/lib/compute/ort/library.ts";
import { profileSessions } from "@/lib/compute/ort/profiling.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import type { CaseSpec } from "./bench_case.ts";
import { type CeilingOptions, Ceilings, usualCeilings } from "./ceilings.ts";
import { benchGenerate } from "./generate_case.ts";
import { benchIteration } from "./iteration_case.ts";
import { peakMemoryBytes, processor } from "./process_info.ts";
import { type ProfileLine, readProfiles } from "./profile.ts";
import { type BenchRecord, makeRecord } from "./record.ts";
import { benchTrain } from "./train_case.ts";

/** Maximum number of lines of a profile. */
const PROFILE_LINES = 20;

/** Options of a run. */
export interface CaseOptions {
  /** an empty directory */
  readonly directory: string;
  readonly profile?: boolean;
  /** default: `usualCeilings()` */
  readonly ceilings?: CeilingOptions;
}

/** Measures a case. The first case sets the number of threads of the process. */
export async function runCase(
  spec: CaseSpec,
  options: CaseOptions,
): Promise<{ readonly record: BenchRecord; readonly profile?: readonly ProfileLine[] }> {
  configureCompute(spec, (line) => console.error(line));
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
    ceilings: ceilings!.values(),
    machine: { ...processor(), onnxruntime: ORT_VERSION, deno: Deno.version.deno },
  });
  if (!profiler) return { record };
  profiler.end();
  return { record, profile: readProfiles(profiles, PROFILE_LINES) };
}

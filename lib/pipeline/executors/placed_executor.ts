/**
 * Runs each stage where the site file and the command line say, and again where its machine, its place or its memory was
 * taken from it.
 * @module
 */
import { delimiter, join } from "node:path";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import { type Executor, inlineExecutor, type Task, type TaskControl } from "@/lib/pipeline/engine/task.ts";
import { EXECUTOR_ENVIRONMENT } from "@/lib/data/files/kept_environment.ts";
import { isFile } from "@/lib/data/files/paths.ts";
import { TryAgainError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { runInContainer } from "./container_executor.ts";
import { processExecutor } from "./process_executor.ts";
import { type ExecutorName, type Placement, placementOf, type Site } from "./site.ts";
import { OutOfMemory, runAsJob } from "./slurm_executor.ts";
import { SlurmQueue } from "./slurm_job.ts";
import { runOverSsh } from "./ssh_executor.ts";

/** What executors need to know of this run. */
export interface PlacedOptions {
  readonly site: Site;
  /** `--executor` */
  readonly flag?: ExecutorName;
  readonly stages: StageSource;
  /** folder of deno.json */
  readonly root: string;
  readonly keepEnv: readonly string[];
  /** aborted when everything must end at once */
  readonly kill: AbortSignal;
  readonly warn: (message: string) => void;
  /** folders of the executors' programs; default: PATH */
  readonly path?: string;
}

/** Programs that each executor starts. */
const PROGRAMS: Readonly<Record<ExecutorName, (site: Site) => readonly string[]>> = {
  inline: () => [],
  process: () => [],
  container: ({ engine = "podman" }) => [engine],
  ssh: () => ["ssh"],
  slurm: () => ["sbatch", "squeue", "scancel"],
};

/**
 * Returns the absolute paths of the programs that some executors start, by name.
 * @param path folders in which they are looked up; default: PATH
 * @throws {UnavailableError} listing those that are not installed
 */
export function executorPrograms(
  names: Iterable<ExecutorName>,
  site: Site,
  path = Deno.env.get("PATH") ?? "",
): Record<string, string> {
  const needed = [...new Set([...names].flatMap((name) => PROGRAMS[name](site)))];
  const folders = path.split(delimiter);
  const found = needed.map((name) =>
    [name, folders.map((folder) => join(folder, name)).find(isFile)] as const
  );
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name);
  if (missing.length > 0) throw new UnavailableError(`Programs not found on PATH: ${missing.join(", ")}`);
  return Object.fromEntries(found as [string, string][]);
}

/** Returns the executors that a site file and a flag use for stages with these paths. */
export function usedExecutors(
  site: Site,
  flag: ExecutorName | undefined,
  paths: readonly string[],
): Set<ExecutorName> {
  return new Set(paths.map((path) => placementOf(site, path, flag).executor));
}

/**
 * Returns the executor of a run. Without a site file, it is the inline or the process executor itself.
 * @param paths of all stages of the plan
 * @throws {UnavailableError} listing programs that are missing
 */
export function placedExecutor(paths: readonly string[], options: PlacedOptions): Executor {
  const { site, flag, stages } = options;
  const used = usedExecutors(site, flag, paths), [only] = used;
  const inline = inlineExecutor(stages), process = processExecutor(options);
  if (used.size <= 1 && (only ?? "inline") === "inline") return inline;
  if (used.size === 1 && only === "process") return process;
  const runners = makeRunners({ inline, process }, used, options);
  const cpusOf = (path: string) => {
    const { executor, cpus = 1 } = placementOf(site, path, flag);
    return executor === "inline" || executor === "process" ? undefined : cpus;
  };
  return {
    name: [...used].sort().join("+"),
    parallel: true,
    sharesMemory: false,
    cpus: cpusOf,
    async run(task, control) {
      const placement = placementOf(site, pathOf(control, task), flag);
      const run = runners[placement.executor]!;
      await withRetries(
        placement,
        control,
        options.warn,
        (memory) => run(task, control, { ...placement, ...memory }),
      );
    },
  };
}

type Runner = (task: Task, control: TaskControl, placement: Placement) => Promise<void>;

function makeRunners(
  local: Readonly<Record<"inline" | "process", Executor>>,
  used: ReadonlySet<ExecutorName>,
  { site, stages, root, kill, path }: PlacedOptions,
): Record<ExecutorName, Runner> {
  const programs = executorPrograms(used, site, path);
  const project = site.project ?? root, deno = site.deno ?? Deno.execPath();
  const code = {
    root: project,
    stages: { ...stages, program: (id: string) => stages.program(id).replace(root, project) },
  };
  const { sbatch = "", squeue = "", scancel = "", ssh = "" } = programs;
  const queue = new SlurmQueue({ sbatch, squeue, scancel });
  const jobs = new Slots(site.jobs ?? 100);
  return {
    // One at a time, as inline stages share the memory of this process.
    inline: limited(new Slots(1), (task, control) => local.inline.run(task, control)),
    process: (task, control) => local.process.run(task, control),
    container: (task, control, placement) =>
      runInContainer(task, control, placement, {
        engine: programs[site.engine ?? "podman"]!,
        keep: EXECUTOR_ENVIRONMENT,
        kill,
      }),
    ssh: (task, control, placement) => runOverSsh(task, control, placement, { ssh, code, deno, kill }),
    slurm: limited(
      jobs,
      (task, control, placement) => runAsJob(task, control, placement, { queue, code, deno, kill }),
    ),
  };
}

/** Calls `run` again after an interruption that was not this run's, at most as often as the placement says. */
async function withRetries(
  { retries = 2, memory }: Placement,
  { signal, kill, node }: TaskControl,
  warn: (message: string) => void,
  run: (changed: { readonly memory?: string }) => Promise<void>,
): Promise<void> {
  let now = memory;
  for (let attempt = 0;; attempt++) {
    try {
      return await run(now === undefined ? {} : { memory: now });
    } catch (error) {
      const isOver = signal.aborted || kill?.aborted || attempt >= retries;
      if (isOver || !(error instanceof TryAgainError)) throw error;
      // Twice as much only once: what does not fit then has another problem.
      if (error instanceof OutOfMemory) {
        if (memory === undefined || now !== memory) throw error;
        now = doubled(memory);
      }
      const seconds = Math.min(60, 2 ** attempt);
      warn(`${node ?? "stage"}: ${error.message.split("\n")[0]}; attempt ${attempt + 2} in ${seconds} s`);
      await pause(seconds * 1000, signal);
    }
  }
}

function doubled(memory: string): string {
  return `${Number(memory.slice(0, -1)) * 2}${memory.at(-1)}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Returns the manifest's path of the stage that a task is of: `ppo.update` of `ppo.update[3]`. */
function pathOf({ node }: TaskControl, task: Task): string {
  return (node ?? task.stage).replace(/\[\d+\]$/, "");
}

/** Lets at most so many run at the same time. */
class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

function limited(slots: Slots, run: Runner): Runner {
  return (task, control, placement) => slots.use(() => run(task, control, placement));
}

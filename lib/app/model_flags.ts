/** Flags of `deno task serve` about models, and the routes that they describe. @module */
import { resolve } from "node:path";
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { EngineProcess } from "./engine_process.ts";
import type { Flags } from "./flags.ts";
import { spellBytes } from "./machine.ts";
import { ModelPool } from "./model_pool.ts";
import { type OpenAiRoutes, openAiRoutes } from "./openai_routes.ts";
import { inspectModels, type ModelPlace, readModelPlaces, type ServedModel } from "./served_models.ts";

/** Names of the flags. */
export const MODEL_FLAGS = {
  strings: ["memory", "max-sequences", "max-queue", "max-tokens", "chat-template"],
  lists: ["model"],
} as const;

/** What the flags say, checked. */
export interface ModelFlags {
  /** not empty */
  readonly models: readonly ModelPlace[];
  /** bound of all loaded models, in bytes; undefined: a part of the machine's memory */
  readonly memory?: number;
  /** responses of a model that decode at the same time */
  readonly slots: number;
  /** responses of a model that may wait */
  readonly queue: number;
  /** tokens of the longest prompt with its response */
  readonly tokens: number;
  /** a built-in chat template, or an absolute path */
  readonly template?: string;
}

/** Part of the machine's memory that models may take by default. */
const MEMORY_SHARE = 3 / 4;

/**
 * Reads the flags; adds a problem for each wrong value. Undefined without `--model`.
 * @param cwd directory of relative paths
 */
export function readModelFlags(flags: Flags, cwd: string): ModelFlags | undefined {
  const { models, problems } = readModelPlaces(flags.list("model"), cwd);
  append(flags.problems, problems);
  const idle = MODEL_FLAGS.strings.filter((name) => models.length === 0 && flags.text(name) !== undefined);
  if (idle.length > 0) {
    flags.problems.push(`${idle.map((name) => `--${name}`).join(", ")} requires --model, got none`);
  }
  const size = flags.text("memory"), memory = size === undefined ? undefined : readBytes(size);
  if (size !== undefined && memory === undefined) {
    flags.problems.push(`--memory must be a size such as 8GB or 500MB, got "${size}"`);
  }
  const template = flags.text("chat-template");
  const read: ModelFlags = {
    models,
    ...(memory !== undefined && { memory }),
    slots: flags.integer("max-sequences", { min: 1, max: 1024 }) ?? 32,
    queue: flags.integer("max-queue", { min: 0, max: 1e6 }) ?? 256,
    tokens: flags.integer("max-tokens", { min: 2, max: 1e7 }) ?? 4096,
    ...(template !== undefined &&
      { template: template.endsWith(".jinja") ? resolve(cwd, template) : template }),
  };
  return models.length > 0 ? read : undefined;
}

/** Returns a size in bytes: a number with B, KB, MB, GB or TB (powers of ten); undefined if it is none. */
function readBytes(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,9}(?:\.\d{1,6})?)\s*([KMGT]?)B?$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * 1000 ** " KMGT".indexOf(unit.toUpperCase() || " ");
}

/**
 * Returns the files and directories that the server must be allowed to read.
 * @throws {DataError} if a model is invalid
 */
export function filesOfModels({ models, template, ...limits }: ModelFlags): string[] {
  // The bound is checked by the process that may ask for the machine's memory.
  const found = inspectModels(models, { ...limits, memoryBytes: Infinity });
  return [...found.flatMap(({ read }) => read), ...(template?.endsWith(".jinja") ? [template] : [])];
}

/** What the routes need beside the flags. */
interface RouteSetting {
  /** of one model */
  readonly threads: number;
  /** undefined: the processor */
  readonly device: string | undefined;
  /** seconds that a request may take */
  readonly timeout: number | undefined;
  readonly shown: (text: string) => string;
  readonly print: (line: string) => void;
}

/**
 * Returns the routes of the models, and prints what they are.
 * @throws {UsageError} if a model exceeds the memory
 */
export function modelRoutes(
  flags: ModelFlags,
  { threads, device, timeout, shown, print }: RouteSetting,
): OpenAiRoutes {
  const { slots, queue, tokens, template } = flags;
  const memoryBytes = flags.memory ?? MEMORY_SHARE * Deno.systemMemoryInfo().total;
  const models = inspectModels(flags.models, { slots, tokens, memoryBytes });
  const settings = {
    slots,
    tokens,
    threads,
    ...(device !== undefined && { device }),
    ...(template !== undefined && { template }),
  };
  const load = ({ directory, read }: ServedModel) => EngineProcess.start({ ...settings, directory }, read);
  const pool = new ModelPool(models, { memoryBytes, sequences: slots + queue, load });
  const names = models.map(({ name, bytes }) => `${name} (${spellBytes(bytes)})`).join(", ");
  print(`Models: ${names}; at most ${spellBytes(memoryBytes)} of memory for those that are loaded`);
  return openAiRoutes({ pool, sequences: slots + queue, timeout, shown });
}

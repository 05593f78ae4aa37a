/** The models of a chat: checkpoints, or SFT model, policy and reward of a finished run. @module */
import { basename, join, resolve } from "node:path";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { isFile } from "@/lib/data/files/paths.ts";

/** A model and its name in the chat. */
export interface ChatModel {
  readonly name: string;
  readonly directory: string;
}

/** What a chat talks to. */
export interface ChatSources {
  /** one or two */
  readonly models: readonly ChatModel[];
  /** reward directory, for rewards of tokens */
  readonly reward: string | undefined;
}

const CONFIGS = ["config.json", "adapter_config.json"];

/**
 * Returns the models of directories: checkpoints, or one directory of a run.
 * @param reward reward directory of the command line; default that of the run
 * @throws {UsageError} for more than two models
 * @throws {DataError} if a directory is neither
 */
export function chatSources(directories: readonly string[], reward: string | undefined): ChatSources {
  const found = directories.map((directory) => isModel(directory) ? undefined : ofRun(directory));
  const models = directories.flatMap((directory, i) =>
    found[i]?.models ?? [{ name: basename(resolve(directory)), directory }]
  );
  if (models.length > 2) {
    throw new UsageError(
      `A chat has one or two models, got ${models.map(({ directory }) => directory).join(", ")}`,
    );
  }
  const [first, second] = models.map(({ name }) => name);
  const named = first === second
    ? models.map((model, i) => ({ ...model, name: `${model.name} ${i + 1}` }))
    : models;
  return { models: named, reward: reward ?? found.find((run) => run?.reward)?.reward };
}

function isModel(directory: string): boolean {
  return CONFIGS.some((name) => isFile(join(directory, name)));
}

/** Returns SFT model, policy and reward of a run's directory. */
function ofRun(directory: string): ChatSources {
  const policy = join(directory, "outputs/policy"), reward = join(directory, "outputs/reward");
  const log = join(directory, "run.jsonl");
  if (!isFile(log) || !isModel(policy)) {
    const found = isFile(log) ? "a run without outputs/policy, which is not finished" : "neither";
    throw new DataError(
      `${directory}: a model directory or the directory of a finished run is required, got ${found}`,
      { file: directory },
    );
  }
  const sft = sftOf(directory, log);
  return {
    models: [...(sft === undefined ? [] : [{ name: "sft", directory: sft }]), {
      name: "srppo",
      directory: policy,
    }],
    reward: isFile(join(reward, "reward.json")) ? reward : undefined,
  };
}

/** Returns the first SFT model that the log of a run names, outside loops and copies, if the run's own store has it. */
function sftOf(directory: string, log: string): string | undefined {
  for (const line of Deno.readTextFileSync(log).split("\n")) {
    if (!line.includes('"uses":"sft"')) continue;
    const { type, index, iteration, key } = JSON.parse(line) as Record<string, unknown>;
    if (type !== "stage_finished" && type !== "stage_cached") continue;
    const view = join(directory, "store/views", String(key), "policy");
    if (index === undefined && iteration === undefined && isModel(view)) return view;
  }
  return undefined;
}

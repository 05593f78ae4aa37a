/** The flags of `deno task evaluate`, read once by the launcher and once by the command. @module */
import { basename, resolve } from "node:path";
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { hostOf } from "@/lib/data/contracts/reached_hosts.ts";
import { isModelReference } from "@/lib/data/hub/model_reference.ts";
import { CHILD_FLAGS, type ChildFlags, readChildFlags } from "./child_flags.ts";
import { readFlags } from "./flags.ts";

/** The text of `--help`. */
export const EVALUATE_HELP = `Evaluates models by known benchmarks or your own set, and compares them.

Usage: deno task evaluate MODEL… --task NAME|FILE [flags]

  MODEL                    model directory or hf:ORG/NAME[@REVISION]; NAME=MODEL sets its name in tables
  --task NAME|FILE         ifeval, gsm8k, gsm8k_cot_zeroshot, mmlu_pro, gpqa_main_zeroshot, gpqa_main_cot_zeroshot,
                           alpaca_eval, or a file with your own rows; repeatable
  --data NAME=PATH         data of a task: file, directory or hf:datasets/ORG/NAME[@REVISION]; repeatable
  --limit N                only the first N documents of each task
  --chat-template NAME     prompts as conversations: model, a built-in template, or a .jinja file;
                           default no template, as lm-evaluation-harness
  --max-new-tokens N       maximum response length; default the task's
  --samples N              responses per document, for best-of-n curves; requires --temperature; default 1
  --temperature T          sampling temperature; default 0 (greedy)
  --seed N                 seed of sampling; default 0
  --batch-size N           sequences that are generated at the same time; default 32
  --stop TEXT              stop string for your own rows; repeatable
  --checker MODULE         module that exports check() and scores your own rows
  --reward DIR             reward directory: mean reward, its correlation with length, best-of-n by reward
  --perplexity FILE        also compute the perplexity of the texts of a file
  --demonstrations FILE    warn about documents that share a 13-gram with these demonstrations
  --judge-url URL          OpenAI-compatible endpoint that compares responses of alpaca_eval with --baseline; its token
                           is SRPPO_URL_TOKEN=HOST:PORT=TOKEN
  --judge-model NAME       model of the judge; default gpt-4-1106-preview
  --baseline FILE          AlpacaEval outputs of the baseline (JSON)
  --gamed FILE             AlpacaEval's df_gamed.csv, for length_controlled_v1; default: length_controlled_minimal
  --out DIR                write report.json, samples and AlpacaEval's outputs
  --threads N              CPU threads; default all cores
  --hub-cache DIR          cache of models and data sets from the Hugging Face Hub; default ~/.cache/srppo/hub
  --grace SECONDS          time from SIGTERM until it is killed; default 25
  --keep-env NAME          additional environment variable; repeatable
  --json                   print the report as JSON
  --verbose                print stack traces of errors
  --help                   print this text

Rows of your own: "prompt" and one of "answer", "regex", "schema" (JSON Schema), or "choices" with "answer".

Examples:
  deno task evaluate fixtures/stories260k --task gsm8k --limit 20
  deno task evaluate sft=runs/a/sft srppo=runs/a/policy --task ifeval --task my_rows.jsonl --json

Exit codes: 0 done, 64 invalid flags, 65 invalid data, 69 download unavailable, 70 internal error, 75 interrupted.
`;

/** A model to evaluate. */
export interface EvaluatedModel {
  readonly name: string;
  /** absolute path, or an `hf:` reference before it is downloaded */
  readonly path: string;
}

/** Flags, checked. Paths are absolute. */
export interface EvaluateFlags extends ChildFlags {
  readonly models: readonly EvaluatedModel[];
  /** names of tasks, or absolute paths */
  readonly tasks: readonly string[];
  /** path or `hf:` reference by task */
  readonly data: Readonly<Record<string, string>>;
  readonly limit: number | undefined;
  readonly chatTemplate: string | undefined;
  readonly maxNewTokens: number | undefined;
  readonly samples: number;
  readonly temperature: number;
  readonly seed: number;
  readonly batchSize: number;
  readonly stops: readonly string[];
  readonly checker: string | undefined;
  readonly reward: string | undefined;
  readonly perplexity: string | undefined;
  readonly demonstrations: string | undefined;
  readonly judgeUrl: string | undefined;
  readonly judgeModel: string;
  readonly baseline: string | undefined;
  readonly gamed: string | undefined;
  readonly out: string | undefined;
  readonly threads: number;
  readonly hubCache: string | undefined;
  readonly json: boolean;
}

const STRINGS = [
  "limit",
  "chat-template",
  "max-new-tokens",
  "samples",
  "temperature",
  "seed",
  "batch-size",
  "checker",
  "reward",
  "perplexity",
  "demonstrations",
  "judge-url",
  "judge-model",
  "baseline",
  "gamed",
  "out",
  "threads",
  "hub-cache",
] as const;

/**
 * Reads the command line.
 * @param isTask whether a word names a built-in task
 * @throws {UsageError} listing all invalid flags
 */
export function readEvaluateFlags(
  args: readonly string[],
  { workingDirectory, isTask }: {
    readonly workingDirectory: string;
    readonly isTask: (name: string) => boolean;
  },
): EvaluateFlags {
  const flags = readFlags(args, {
    booleans: ["json"],
    strings: [...STRINGS, ...CHILD_FLAGS.strings],
    lists: ["task", "data", "stop", ...CHILD_FLAGS.lists],
  });
  const { problems } = flags;
  const located = (path: string) => isModelReference(path) ? path : resolve(workingDirectory, path);
  const models = modelsOf(flags.words, located);
  append(problems, modelProblems(models));
  const perplexity = flags.text("perplexity");
  const tasks = flags.list("task").map((task) => isTask(task) ? task : resolve(workingDirectory, task));
  if (tasks.length === 0 && perplexity === undefined) problems.push("--task is required");
  const pairs = flags.list("data").map((text) => {
    const at = text.indexOf("=");
    if (at < 1 || !isTask(text.slice(0, at))) {
      problems.push(`--data must be NAME=PATH with the name of a task, got ${text}`);
    }
    return [text.slice(0, at), located(text.slice(at + 1))] as const;
  });
  const temperature = Number(flags.text("temperature") ?? "0");
  if (!(temperature >= 0 && temperature < Infinity)) {
    problems.push(`--temperature must be a number of at least 0, got "${flags.text("temperature")}"`);
  }
  const samples = flags.integer("samples", { min: 1, max: 1000 }, "1") ?? 1;
  if (samples > 1 && temperature === 0) {
    problems.push("--samples above 1 requires --temperature above 0, got 0");
  }
  const pathOf = (name: typeof STRINGS[number]) => {
    const text = flags.text(name);
    return text === undefined ? undefined : resolve(workingDirectory, text);
  };
  const chatTemplate = flags.text("chat-template"), judgeUrl = flags.text("judge-url");
  if (judgeUrl !== undefined && hostOf(judgeUrl) === undefined) {
    problems.push(`--judge-url must be an http or https address, got ${judgeUrl}`);
  }
  if (judgeUrl !== undefined && flags.text("baseline") === undefined) {
    problems.push("--judge-url requires --baseline");
  }
  const read: EvaluateFlags = {
    ...readChildFlags(flags),
    models,
    tasks,
    data: Object.fromEntries(pairs),
    limit: flags.integer("limit", { min: 1 }),
    chatTemplate: chatTemplate?.endsWith(".jinja") ? resolve(workingDirectory, chatTemplate) : chatTemplate,
    maxNewTokens: flags.integer("max-new-tokens", { min: 1 }),
    samples,
    temperature,
    seed: flags.integer("seed", { min: 0, max: 2 ** 32 - 1 }, "0") ?? 0,
    batchSize: flags.integer("batch-size", { min: 1, max: 4096 }, "32") ?? 32,
    stops: flags.list("stop"),
    checker: pathOf("checker"),
    reward: pathOf("reward"),
    perplexity: pathOf("perplexity"),
    demonstrations: pathOf("demonstrations"),
    judgeUrl,
    judgeModel: flags.text("judge-model") ?? "gpt-4-1106-preview",
    baseline: pathOf("baseline"),
    gamed: pathOf("gamed"),
    out: pathOf("out"),
    threads: flags.integer("threads", { min: 1, max: 1024 }) ?? navigator.hardwareConcurrency,
    hubCache: pathOf("hub-cache"),
    json: flags.has("json"),
  };
  flags.check();
  return read;
}

function modelsOf(words: readonly string[], located: (path: string) => string): EvaluatedModel[] {
  return words.map((word) => {
    const at = /^[\w.-]+=/.exec(word)?.[0].length ?? 0, path = word.slice(at);
    return { name: at > 0 ? word.slice(0, at - 1) : basename(path), path: located(path) };
  });
}

function modelProblems(models: readonly EvaluatedModel[]): string[] {
  if (models.length === 0) return ["at least one MODEL is required"];
  const names = models.map(({ name }) => name);
  const twice = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  return twice.length === 0
    ? []
    : [`names of models must differ (use NAME=MODEL), got twice ${twice.join(", ")}`];
}

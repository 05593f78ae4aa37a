/** The built-in tasks by their names. @module */
import { ALPACA_EVAL } from "./alpaca_eval.ts";
import { GPQA_MAIN_COT_ZEROSHOT, GPQA_MAIN_ZEROSHOT } from "./gpqa.ts";
import { GSM8K, GSM8K_COT_ZEROSHOT } from "./gsm8k.ts";
import { IFEVAL } from "./ifeval.ts";
import { MMLU_PRO } from "./mmlu_pro.ts";
import type { BenchmarkTask } from "./task.ts";

/** Built-in tasks by name. */
export const BENCHMARK_TASKS: ReadonlyMap<string, BenchmarkTask> = new Map(
  [ALPACA_EVAL, IFEVAL, GSM8K, GSM8K_COT_ZEROSHOT, MMLU_PRO, GPQA_MAIN_ZEROSHOT, GPQA_MAIN_COT_ZEROSHOT].map((
    task,
  ) => [
    task.name,
    task,
  ]),
);

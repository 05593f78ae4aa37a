/** The kinds of goldens: how each is called, recognised and checked. @module */
import { checkBenchmark } from "./check_benchmark.ts";
import { checkCorrupt } from "./check_corrupt.ts";
import { checkFamily } from "./check_family.ts";
import { checkLayouts } from "./check_layouts.ts";
import { checkLora } from "./check_lora.ts";
import { checkPpo } from "./check_ppo.ts";
import { checkSrppo } from "./check_srppo.ts";
import { checkChatTemplate, checkTokenizer } from "./check_text_cases.ts";
import type { CheckLine } from "./tally.ts";

/** A kind of goldens. */
interface GoldenKindInfo {
  /** in messages */
  readonly title: string;
  /** entries that every directory of this kind has; none: it is a JSON file with a topic and cases */
  readonly entries: readonly string[];
  readonly check: (path: string) => CheckLine[] | Promise<CheckLine[]>;
}

/** Kinds by name. A directory is of the first kind of which it has all entries. */
export const GOLDEN_KINDS = {
  lora: { title: "LoRA adapter", entries: ["adapter_config.json"], check: checkLora },
  family: { title: "model family", entries: ["golden.safetensors"], check: checkFamily },
  srppo: {
    title: "iteration of Self-Rewarding PPO",
    entries: ["golden.json", "base", "sft", "policy", "critic"],
    check: checkSrppo,
  },
  chat_template: {
    title: "chat template",
    entries: ["cases.json", "tokenizer_config.json"],
    check: checkChatTemplate,
  },
  tokenizer: { title: "tokenizer", entries: ["cases.json"], check: checkTokenizer },
  layouts: { title: "list of layouts", entries: ["files.jsonl", "expected.jsonl"], check: checkLayouts },
  corrupt: {
    title: "list of corrupt files",
    entries: ["expected.jsonl"],
    check: (path: string) => checkCorrupt(path),
  },
  benchmark: { title: "benchmark", entries: ["golden.json", "cases.jsonl"], check: checkBenchmark },
  ppo: { title: "topic of PPO", entries: [], check: checkPpo },
} as const satisfies Record<string, GoldenKindInfo>;

/** A kind's name; `unknown` is none of them. */
export type GoldenKind = keyof typeof GOLDEN_KINDS | "unknown";

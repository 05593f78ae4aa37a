/** All model families: the only list of them. Tests, documentation and interop checks iterate it. @module */
import type { Family } from "./family.ts";
import { gemma, gemma2, gemma3 } from "./gemma.ts";
import { gpt2 } from "./gpt2.ts";
import { gptNeoX } from "./gpt_neox.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2, qwen3 } from "./qwen.ts";
import { smollm3 } from "./smollm3.ts";

/** Families by `model_type`. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3_text: gemma3,
  phi3,
  gpt2,
  gpt_neox: gptNeoX,
  olmo2,
  smollm3,
};

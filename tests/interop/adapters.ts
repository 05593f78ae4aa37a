/**
 * LoRA adapters of all families, as the project writes them: for [out, in] and [in, out] weights, fused projections, every
 * way to name targets, and patterns for rank and α.
 * @module
 */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { loadFrozenModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { type LoraConfig, PLAIN_LORA } from "@/lib/model/models/lora/adapter.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { FAMILY_GOLDENS, GOLDEN_FOLDER } from "@/tests/support/golden_families.ts";

const CONFIG: LoraConfig = { ...PLAIN_LORA, rank: 3, alpha: 4 };

/** Differences from `CONFIG` by family; a family that is not listed has none. */
const CHANGES: Readonly<Record<string, Partial<LoraConfig>>> = {
  llama: { rankStabilised: true, rankPattern: { "1.self_attn.q_proj": 5 }, excluded: ["0.mlp.up_proj"] },
  mistral: { targets: ["q_proj", "v_proj"] },
  qwen2: { targets: "all-linear", rankStabilised: true },
  qwen3: { targets: ["k_proj", "o_proj", "down_proj"], alphaPattern: { "layers.0.self_attn.k_proj": 9 } },
  gemma: { targets: "all-linear", excluded: ["o_proj"] },
  gemma2: { targets: ["gate_proj", "up_proj", "q_proj"], layers: [1] },
  gemma3: { targets: ".*self_attn\\.(q|k|v|o)_proj", rankPattern: { q_proj: 2 } },
  phi3: { targets: ".*\\.(qkv|gate_up)_proj" },
  gpt2: { targets: ["c_attn", "mlp.c_proj"], alphaPattern: { c_attn: 7 } },
  gpt_neox: { targets: ["query_key_value", "dense"], layers: [1] },
  smollm3: { targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] },
};

/** A written adapter. */
export interface AdapterCase {
  readonly name: string;
  readonly path: string;
  readonly vocabSize: number;
  readonly contextLength: number;
}

/** Writes the adapters below `home`, with random numbers in B as after training. */
export function writeAdapters(home: string): AdapterCase[] {
  return FAMILY_GOLDENS.map((family) => {
    const baseDirectory = join(projectRoot, GOLDEN_FOLDER, family), path = join(home, family);
    const config = { ...CONFIG, ...CHANGES[family] };
    const loaded = newAdapter(loadFrozenModel(baseDirectory), config, { baseDirectory, seed: 1 });
    const { model, parameters } = loaded;
    for (const { name } of parameters.specs) {
      if (name.endsWith("lora_B.weight")) fillNormal(parameters.view(name), makeKey(2, name), { std: 0.1 });
    }
    Deno.mkdirSync(path, { recursive: true });
    writeModel(path, loaded);
    const { vocabSize, contextLength } = model;
    return { name: `an adapter of ${family}`, path, vocabSize, contextLength };
  });
}

import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { LoraConfig } from "./adapter.ts";
import { loraConfigJson, parseLoraConfig } from "./lora_config.ts";

const JSON_OF = { peft_type: "LORA", r: 4, lora_alpha: 8, target_modules: ["q_proj"] };

const CONFIG: LoraConfig = {
  rank: 4,
  alpha: 8,
  rankStabilised: false,
  targets: ["q_proj"],
  excluded: [],
  layers: null,
  rankPattern: {},
  alphaPattern: {},
  dropout: 0,
  transposed: null,
};

const parse = (change: Record<string, unknown>) => parseLoraConfig({ ...JSON_OF, ...change }, "a.json");

Deno.test("parseLoraConfig() reads PEFT's fields with PEFT's defaults", () => {
  assertEquals(parse({}), { config: CONFIG, base: "" });
  const given = {
    base_model_name_or_path: "../base",
    target_modules: "all-linear",
    exclude_modules: ["down_proj"],
    layers_to_transform: 1,
    use_rslora: true,
    rank_pattern: { k_proj: 2 },
    alpha_pattern: { "layers.0.self_attn.q_proj": 3 },
    lora_dropout: 0.05,
    fan_in_fan_out: false,
  };
  const config: LoraConfig = {
    ...CONFIG,
    targets: "all-linear",
    excluded: ["down_proj"],
    layers: [1],
    rankStabilised: true,
    rankPattern: { k_proj: 2 },
    alphaPattern: { "layers.0.self_attn.q_proj": 3 },
    dropout: 0.05,
    transposed: false,
  };
  assertEquals(parse(given), { config, base: "../base" });
});

Deno.test("fields without effect are accepted, whatever their names", () => {
  const quiet = {
    ...{ use_dora: false, modules_to_save: null, loftq_config: {}, lora_bias: false, use_qalora: false },
    ...{
      megatron_core: "megatron.core",
      peft_version: "0.21.2",
      inference_mode: true,
      a_new_field: null,
      layers_to_transform: [],
    },
    ...{ init_lora_weights: "gaussian", task_type: null, auto_mapping: { base_model_class: "X" } },
  };
  assertEquals(parse(quiet), parse({}));
});

Deno.test("parseLoraConfig() names every invalid or unsupported field", () => {
  const error = assertThrows(() =>
    parse({
      peft_type: "IA3",
      task_type: "SEQ_CLS",
      r: 0,
      bias: "all",
      init_lora_weights: "pissa",
      use_dora: true,
      modules_to_save: ["lm_head"],
      a_new_field: 1,
    }), DataError);
  assertEquals(
    error.message,
    'a.json: peft_type must be LORA, got "IA3"; task_type must be CAUSAL_LM or null, got "SEQ_CLS"; ' +
      'r: Too small: expected number to be >0; bias must be none, got "all"; ' +
      "init_lora_weights must be one of true, false, gaussian, orthogonal, eva (others change the base), got " +
      '"pissa"; use_dora is not supported; modules_to_save is not supported; a_new_field is not supported',
  );
});

Deno.test("a written config is read back unchanged", () => {
  const config: LoraConfig = {
    ...CONFIG,
    excluded: "model\\.layers\\.0\\..*",
    layers: [0, 1],
    rankPattern: { k_proj: 2 },
    transposed: true,
  };
  assertEquals(parseLoraConfig(loraConfigJson(config, "base", true), "a.json"), { config, base: "base" });
});

/** The maps that a config selects, by the rules of PEFT 0.21.2: check_target_module_exists and get_pattern_key. */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readModel } from "../checkpoint.ts";
import { adaptedMaps } from "./adapted_maps.ts";
import { type LoraConfig, PLAIN_LORA } from "./adapter.ts";

const LLAMA = readModel("fixtures/goldens/families/llama");
const GPT2 = readModel("fixtures/goldens/families/gpt2");

function maps(change: Partial<LoraConfig>, model = LLAMA) {
  const config: LoraConfig = { ...PLAIN_LORA, rank: 4, alpha: 8, ...change };
  return adaptedMaps(model, config, "a.json");
}

const namesOf = (change: Partial<LoraConfig>, model = LLAMA) =>
  maps(change, model).map(({ module }) => module.replace(/^(model|transformer)\.(layers|h)\./, ""));

Deno.test("all-linear is every map of every block, and not the output", () => {
  const perLayer = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
    .concat("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj");
  const all = LLAMA.blocks.flatMap((_, layer) => perLayer.map((name) => `${layer}.${name}`));
  assertEquals(namesOf({}), all);
  assertEquals(namesOf({ targets: "ALL-linear" }), all);
  const gpt2 = GPT2.blocks.flatMap((_, layer) =>
    ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"].map((name) => `${layer}.${name}`)
  );
  assertEquals(namesOf({}, GPT2), gpt2);
});

Deno.test("a list contains ends of paths, whole parts only; a text is an expression for whole paths", () => {
  assertEquals(namesOf({ targets: ["self_attn.q_proj", "1.mlp.up_proj"] }), [
    "0.self_attn.q_proj",
    "1.self_attn.q_proj",
    "1.mlp.up_proj",
  ]);
  assertEquals(namesOf({ targets: ".*\\.0\\..*\\.[qk]_proj" }), ["0.self_attn.q_proj", "0.self_attn.k_proj"]);
  assertEquals(namesOf({ targets: ["q_proj", "k_proj"], excluded: ["0.self_attn.q_proj"] }), [
    "0.self_attn.k_proj",
    "1.self_attn.q_proj",
    "1.self_attn.k_proj",
  ]);
  assertEquals(namesOf({ targets: ["q_proj"], layers: [1] }), ["1.self_attn.q_proj"]);
  assertEquals(namesOf({ targets: ["q_proj", "model.layers.0.mlp.up_proj"], layers: [1] }), [
    "0.mlp.up_proj",
    "1.self_attn.q_proj",
  ]);
});

Deno.test("rank_pattern and alpha_pattern: the first key that matches an end of the path, with s = α/r or α/√r", () => {
  const patterns = {
    targets: ["q_proj", "v_proj"],
    rankPattern: { "0.self_attn.q_proj": 2, "[qk]_proj": 16, "proj": 1 },
    alphaPattern: { v_proj: 3, "model.layers.1.self_attn.v_proj": 5 },
  };
  assertEquals(maps(patterns).map(({ rank, scale }) => [rank, scale]), [
    [2, 8 / 2],
    [4, 3 / 4],
    [16, 8 / 16],
    [4, 3 / 4],
  ]);
  const [first] = maps({ ...patterns, rankStabilised: true });
  assertAlmostEquals(first!.scale, 8 / Math.SQRT2, 1e-15);
});

Deno.test("sizes are those of the map, also where it is stored [in, out]", () => {
  const [qkv] = maps({ targets: ["c_attn"] }, GPT2), { hiddenSize } = GPT2;
  assertEquals([qkv!.inner, qkv!.out], [hiddenSize, 3 * hiddenSize]);
});

const REJECTED: readonly (readonly [Partial<LoraConfig>, string])[] = [
  [
    { targets: ["q_proj", "qq_proj", "lm_head"] },
    "target_modules must be among q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, got qq_proj, lm_head",
  ],
  [{ targets: ".*" }, "target_modules must match linear layers of blocks only, got model.embed_tokens"],
  [{ targets: "(?P<x>q_proj)" }, "target_modules: (?P<x>q_proj) is not a regular expression"],
  [{ rankPattern: { "q_(": 2 } }, "rank_pattern or alpha_pattern: q_( is not a regular expression"],
  [{ targets: ["q_proj"], layers: [0, 7] }, "layers_to_transform must be below 2, got 7"],
  [{ layers: [0] }, "layers_to_transform requires a list target_modules"],
  [{ targets: ["q_proj"], excluded: ["q_proj"] }, "no linear layer is selected"],
  [
    { transposed: true },
    "fan_in_fan_out must be false: weights of llama are stored [out, in]",
  ],
];

for (const [change, problem] of REJECTED) {
  Deno.test(`adaptedMaps() rejects ${JSON.stringify(change)}`, () => {
    assertEquals(
      assertThrows(() => maps(change), DataError).message,
      `a.json: ${problem}`,
    );
  });
}

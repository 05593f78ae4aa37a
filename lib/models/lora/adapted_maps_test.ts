/** Which maps a config names, by the rules of PEFT 0.21.2: check_target_module_exists and get_pattern_key. */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/tensor/errors.ts";
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

Deno.test("a list names ends of paths, whole parts only; a text is an expression for whole paths", () => {
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

Deno.test("rank_pattern and alpha_pattern: the first key that fits an end of the path, with s = α/r or α/√r", () => {
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

const REFUSED: readonly (readonly [Partial<LoraConfig>, string])[] = [
  [
    { targets: ["q_proj", "qq_proj", "lm_head"] },
    "target_modules: qq_proj, lm_head name none of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
  ],
  [{ targets: ".*" }, "target_modules: only maps of blocks can be adapted, not model.embed_tokens"],
  [{ targets: "(?P<x>q_proj)" }, "target_modules: (?P<x>q_proj) is no regular expression"],
  [{ rankPattern: { "q_(": 2 } }, "pattern: q_( is none"],
  [{ targets: ["q_proj"], layers: [0, 7] }, "layers_to_transform: there are 2 layers, none is 7"],
  [{ layers: [0] }, "layers_to_transform: target_modules must be a list for it"],
  [{ targets: ["q_proj"], excluded: ["q_proj"] }, "no linear map is left"],
  [
    { transposed: true },
    "fan_in_fan_out: must be false, as weights of llama are stored [out, in]",
  ],
];

for (const [change, problem] of REFUSED) {
  Deno.test(`adaptedMaps() refuses ${JSON.stringify(change)}`, () => {
    assertEquals(
      assertThrows(() => maps(change), DataError).message,
      `Cannot adapt the model as a.json must name linear maps of its blocks: ${problem}`,
    );
  });
}

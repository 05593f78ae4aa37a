/** Types of rope scaling against numbers from transformers 4.57 (`ROPE_INIT_FUNCTIONS`, 12 dimensions). @module */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Rope } from "./model.ts";
import { type RopeContext, ropeFrequencies, type RopeScaling, ropeTables } from "./rope_frequencies.ts";
import { contextLengthOf } from "./rotary.ts";

/** Relative: transformers computes them in float32. */
const NEAR = 3e-7;

const FACTORS = {
  short_factor: [1, 1.1, 1.2, 1.3, 1.4, 1.5],
  long_factor: [1, 2, 3, 4, 5, 6.5],
};

interface Case {
  readonly theta?: number;
  readonly scaling: RopeScaling;
  readonly context?: RopeContext;
  readonly length?: number;
  readonly frequencies: readonly number[];
  readonly factor: number;
}

const PHI = { maxPositions: 64, originalMaxPositions: 16 };
const SHORT = [1, 0.195857689, 0.0386799015, 0.0076923077, 0.00153888157, 0.000309439318];

const CASES: Readonly<Record<string, Case>> = {
  linear: {
    scaling: { rope_type: "linear", factor: 4 },
    frequencies: [0.25, 0.0538608618, 0.011603971, 0.0025, 0.000538608583, 0.000116039737],
    factor: 1,
  },
  "yarn without an original length": {
    scaling: { rope_type: "yarn", factor: 4 },
    context: { maxPositions: 64 },
    frequencies: [1, 0.134652153, 0.011603971, 0.0025, 0.000538608583, 0.000116039737],
    factor: 1.138629436111989,
  },
  "yarn with two magnitudes": {
    theta: 500,
    scaling: {
      ...{ rope_type: "yarn", factor: 8, original_max_position_embeddings: 16 },
      ...{ mscale: 0.7, mscale_all_dim: 0.4, beta_fast: 16, beta_slow: 2 },
    },
    frequencies: [1, 0.0443692096, 0.0157490131, 0.00559017016, 0.0019842512, 0.000704317412],
    factor: 1.0575928109100559,
  },
  "yarn without rounding": {
    theta: 100,
    scaling: { rope_type: "yarn", factor: 2.5, attention_factor: 0.8, truncate: false },
    context: { maxPositions: 64 },
    frequencies: [1, 0.372063875, 0.129950017, 0.0404761992, 0.0185663532, 0.00861773919],
    factor: 0.8,
  },
  "dynamic within the context": {
    scaling: { rope_type: "dynamic", factor: 2 },
    context: { maxPositions: 16 },
    length: 16,
    frequencies: [1, 0.215443447, 0.046415884, 0.01, 0.00215443433, 0.000464158948],
    factor: 1,
  },
  "dynamic beyond the context": {
    scaling: { type: "dynamic", factor: 2 },
    context: { maxPositions: 16 },
    length: 40,
    frequencies: [1, 0.163275614, 0.0266589243, 0.00435275305, 0.000710698252, 0.000116039737],
    factor: 1,
  },
  "longrope within the original context": {
    scaling: { rope_type: "longrope", ...FACTORS },
    context: PHI,
    length: 16,
    frequencies: SHORT,
    factor: 1.224744871391589,
  },
  "longrope beyond the original context": {
    scaling: { rope_type: "longrope", ...FACTORS },
    context: PHI,
    length: 17,
    frequencies: [1, 0.107721724, 0.0154719604, 0.0025, 0.000430886837, 7.14090711e-5],
    factor: 1.224744871391589,
  },
  "longrope with a factor": {
    scaling: { rope_type: "longrope", factor: 4, ...FACTORS },
    context: { maxPositions: 16 },
    frequencies: SHORT,
    factor: 1.224744871391589,
  },
};

for (
  const [name, { theta = 10000, scaling, context, length, frequencies, factor }] of Object.entries(CASES)
) {
  Deno.test(`ropeFrequencies() are those of transformers: ${name}`, () => {
    const rope = ropeFrequencies(theta, 12, scaling, context);
    const found = length === undefined ? rope.frequencies : rope.atLength!(length);
    assertEquals(found.length, frequencies.length);
    frequencies.forEach((wanted, i) => assertAlmostEquals(found[i]! / wanted, 1, NEAR, `frequency ${i}`));
    assertAlmostEquals(rope.attentionFactor, factor, 1e-12);
  });
}

Deno.test("rows within the context have the frequencies that do not depend on their length", () => {
  for (const scaling of [{ type: "dynamic", factor: 3 }, { type: "longrope", ...FACTORS }]) {
    const rope = ropeFrequencies(10000, 12, scaling, PHI);
    assertEquals(rope.atLength!(7), rope.frequencies);
    assertEquals(rope.atLength!(16), rope.frequencies);
  }
});

Deno.test("an odd number of rotated dimensions is rounded up to pairs, as in transformers", () => {
  const { frequencies } = ropeFrequencies(10000, 3, null);
  assertEquals([...frequencies], [1, 10000 ** (-2 / 3)]);
});

Deno.test("ropeTables() hold cos and sin of position · frequency, times the attention factor", () => {
  const rope: Rope = { frequencies: Float64Array.of(1, 0.5), attentionFactor: 2, atLength: null };
  const { cos, sin } = ropeTables(rope, 3);
  const angles = [0, 0, 1, 0.5, 2, 1];
  assertEquals(cos, Float32Array.from(angles, (angle) => 2 * Math.cos(angle)));
  assertEquals(sin, Float32Array.from(angles, (angle) => 2 * Math.sin(angle)));
});

Deno.test("an invalid scaling is rejected with the reason", () => {
  const refusal = (scaling: RopeScaling) =>
    assertThrows(() => ropeFrequencies(10000, 12, scaling), DataError).message;
  assertEquals(
    refusal({ rope_type: "mrope" }),
    'the type of rope_scaling must be one of default, linear, dynamic, yarn, longrope, llama3, got "mrope"',
  );
  assertEquals(
    refusal({ factor: 2 }),
    "the type of rope_scaling must be one of default, linear, dynamic, yarn, longrope, llama3, got undefined",
  );
  assertEquals(
    refusal({ rope_type: "yarn", type: "linear", factor: 2 }),
    'rope_type and type of rope_scaling must be equal, got "yarn" and "linear"',
  );
  assertEquals(
    refusal({ rope_type: "yarn" }),
    'rope_scaling of type "yarn" must have a positive number "factor", got undefined',
  );
  assertEquals(
    refusal({ rope_type: "yarn", factor: 2, beta_fast: "32" }),
    'rope_scaling of type "yarn" must have a positive number "beta_fast", got "32"',
  );
  assertEquals(
    refusal({ rope_type: "longrope", short_factor: [1, 2], long_factor: [1, 2, 3, 4, 5, 6] }),
    'rope_scaling of type "longrope" must have a list "short_factor" of 6 positive numbers, got [1,2]',
  );
});

Deno.test("a context ends where the rotation begins to depend on the length of a row", () => {
  const config = { rope_theta: 10000, max_position_embeddings: 64, original_max_position_embeddings: 16 };
  const stretched = ropeFrequencies(10000, 12, { type: "longrope", ...FACTORS }, PHI);
  const plain = ropeFrequencies(10000, 12, null);
  assertEquals(contextLengthOf(config, [plain, null]), 64);
  assertEquals(contextLengthOf(config, [plain, stretched]), 16);
  assertEquals(contextLengthOf({ ...config, original_max_position_embeddings: null }, [stretched]), 64);
});

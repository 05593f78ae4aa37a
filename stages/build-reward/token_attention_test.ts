/** Attention and token shapes of exported graphs against those of training, on one batch. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import { causalAttention } from "@/lib/model/models/causal_attention.ts";
import type { AttentionSpec } from "@/lib/model/models/model.ts";
import { ropeFrequencies } from "@/lib/model/models/rope_frequencies.ts";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { f32, type HostTensor, i64 } from "@/lib/compute/tensor/tensor.ts";
import { evaluate } from "@/tests/support/evaluate.ts";
import { tokenAttention } from "./token_attention.ts";
import { flatPositions, flatTokens, isAmong, nextTokens, ofOwnTokens } from "./token_shapes.ts";

const ROWS = 2, LENGTH = 5, IDS = i64([ROWS, LENGTH], [1, 7, 8, 9, 2, 1, 5, 2, 0, 0]);

function drawn(name: string, width: number): HostTensor {
  const values = new Float32Array(ROWS * LENGTH * width);
  fillNormal(values, makeKey(2, name));
  return f32([ROWS * LENGTH, width], values);
}

const PLAIN: AttentionSpec = {
  heads: 4,
  kvHeads: 2,
  headDim: 6,
  scale: 0.4,
  softcap: null,
  window: null,
  rope: null,
};

for (
  const [name, spec] of Object.entries(
    {
      "grouped heads": PLAIN,
      "a window of 2": { ...PLAIN, window: 2 },
      "rotary embedding": { ...PLAIN, rope: ropeFrequencies(10000, 6, null) },
      "rotation of 4 of 6 dimensions": { ...PLAIN, rope: ropeFrequencies(10000, 4, null) },
      "a soft cap": { ...PLAIN, softcap: 0.3 },
      "one key head, scaled rotary embedding": {
        ...PLAIN,
        kvHeads: 1,
        rope: ropeFrequencies(10000, 6, { rope_type: "linear", factor: 3 }),
      },
    } satisfies Record<string, AttentionSpec>,
  )
) {
  Deno.test(`tokenAttention() is causalAttention(): ${name}`, () => {
    const attend = (q: Value, k: Value, v: Value, ids: Value) => [
      tokenAttention(ids, 9, new Map()).attend(q, k, v, spec),
      causalAttention(q.trace, ROWS, LENGTH).attend(q, k, v, spec),
    ];
    const kv = spec.kvHeads * spec.headDim;
    const [own, expected] = evaluate(attend as (...inputs: Value[]) => Value[], [
      drawn("q", spec.heads * spec.headDim),
      drawn("k", kv),
      drawn("v", kv),
      IDS,
    ]);
    own!.data.forEach((x, i) =>
      assertAlmostEquals(Number(x), Number(expected!.data[i]), 1e-5, `element ${i}`)
    );
  });
}

Deno.test("token shapes follow the ids: tokens, positions, next tokens, EOS, and shifted values", () => {
  const values = f32([ROWS * LENGTH], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const results = evaluate((ids, x) => {
    const next = nextTokens(ids!);
    return [flatTokens(ids!), flatPositions(ids!), next, isAmong(next, [2, 9]), ofOwnTokens(x!, ids!)];
  }, [IDS, values]);
  assertEquals(results.map(({ data }) => Array.from(data, Number)), [
    [1, 7, 8, 9, 2, 1, 5, 2, 0, 0],
    [0, 1, 2, 3, 4, 0, 1, 2, 3, 4],
    [7, 8, 9, 2, 0, 5, 2, 0, 0, 0],
    [0, 0, 1, 1, 0, 0, 1, 0, 0, 0],
    [0, 1, 2, 3, 4, 0, 6, 7, 8, 9], // the last value of a row belongs to no token
  ]);
});

/** The presets of advantage estimators, and GRPO as composed by the stage against TRL's own iteration. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { f32, i64 } from "@/lib/compute/tensor/tensor.ts";
import { policyProgram } from "@/lib/model/train/ppo_programs.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";
import { scoredRow, trajectoriesOf } from "@/tests/support/ppo_rows.ts";
import { type Params, params as schema } from "./params.ts";
import { policyLoss } from "./policy_step.ts";
import { resolvedParams } from "./presets.ts";

const resolved = (given: Record<string, unknown>): Params => resolvedParams(schema.parse(given));

const decided = (given: Record<string, unknown>) => {
  const { normalise_reward, whiten_advantages, kl_placement, kl_estimator, loss_aggregation, ...rest } =
    resolved(
      given,
    );
  const { beta, clip_range_high } = rest;
  return [
    normalise_reward,
    whiten_advantages,
    kl_placement,
    kl_estimator,
    loss_aggregation,
    beta,
    clip_range_high,
  ];
};

Deno.test("grpo, dr_grpo and dapo are the algorithms of these names; all other estimators keep PPO's values", () => {
  const ppo = [true, true, "reward", null, "token_mean", 0.05, null];
  for (const advantage_estimator of ["gae", "reinforce_pp", "reinforce", "reinforce_pp_baseline", "rloo"]) {
    assertEquals(decided({ advantage_estimator }), ppo, advantage_estimator);
  }
  const of = (advantage_estimator: string, given = {}) =>
    decided({ advantage_estimator, max_new_tokens: 56, ...given });
  assertEquals(of("grpo"), [false, false, "loss", "k3", "sequence_mean", 0.04, null]);
  assertEquals(of("dr_grpo"), [false, false, "loss", "k3", "constant_length", 0, null]);
  assertEquals(of("dapo"), [false, false, "loss", "k3", "token_mean", 0, 0.28]);
});

Deno.test("a value that is given has priority over the preset", () => {
  const given = {
    normalise_reward: true,
    whiten_advantages: true,
    loss_aggregation: "sequence_sum",
    beta: 0.5,
  };
  const all = { advantage_estimator: "dapo", clip_range_high: 0.3, kl_estimator: "k2", ...given };
  assertEquals(decided(all), [true, true, "loss", "k2", "sequence_sum", 0.5, 0.3]);
  const inReward = { advantage_estimator: "grpo", kl_placement: "reward" };
  assertEquals(decided(inReward).slice(2, 4), ["reward", null], "k1 is the estimator in the reward");
});

/** A case of trl_grpo_iteration.json. */
interface Iteration {
  readonly loss_type: "grpo" | "dr_grpo" | "dapo";
  readonly temperature: number;
  readonly beta: number;
  readonly epsilon: number;
  readonly epsilon_high: number;
  readonly max_completion_length: number;
  readonly groups: readonly number[];
  readonly rewards: readonly number[];
  readonly ids: readonly (readonly number[])[];
  readonly old_logits: readonly (readonly (readonly number[])[])[];
  readonly logits: Iteration["old_logits"];
  readonly ref_logits: Iteration["old_logits"] | null;
  readonly loss: number;
  readonly gradient: Iteration["old_logits"];
}

/** log softmax(logits/τ)[id] of every token. */
function logprobsOf(
  logits: Iteration["old_logits"],
  ids: Iteration["ids"],
  temperature: number,
): Float32Array[] {
  return ids.map((row, b) =>
    Float32Array.from(row, (id, t) => {
      const scaled = logits[b]![t]!.map((x) => x / temperature);
      return scaled[id]! - Math.log(scaled.reduce((sum, x) => sum + Math.exp(x), 0));
    })
  );
}

const ITERATIONS: readonly Iteration[] =
  JSON.parse(Deno.readTextFileSync("fixtures/rl_libraries/trl_grpo_iteration.json")).cases;

for (const [i, golden] of ITERATIONS.entries()) {
  const { loss_type, temperature, beta } = golden;
  Deno.test(`loss and gradient of an iteration are TRL's: case ${i}, ${loss_type} at temperature ${temperature}, β ${beta}`, () => {
    const params = resolved({
      advantage_estimator: loss_type,
      temperature,
      beta,
      clip_range: golden.epsilon,
      clip_range_high: golden.epsilon_high,
      max_new_tokens: golden.max_completion_length,
    });
    const old = logprobsOf(golden.old_logits, golden.ids, temperature);
    const reference = logprobsOf(golden.ref_logits ?? golden.old_logits, golden.ids, temperature);
    const rows = golden.ids.map((ids, b) =>
      scoredRow({
        id: `r${b}`,
        promptId: `p${golden.groups[b]}`,
        tokenRewards: Float32Array.from(ids, (_, t) => t === ids.length - 1 ? golden.rewards[b]! : 0),
        rawReward: golden.rewards[b]!,
        reward: golden.rewards[b]!,
        responseIds: Int32Array.from(ids),
        logprobs: old[b]!,
        ...(temperature === 1
          ? { sftLogprobs: reference[b]! }
          : { temperature, sftLogprobsTempered: reference[b]!, baseLogprobsTempered: reference[b]! }),
      })
    );
    const { trajectories, advantageStd } = trajectoriesOf(rows, [], { centre: 0, scale: 1 }, params);
    assertEquals(advantageStd, 1);
    const { options, inputs } = policyLoss(trajectories, params.beta, params);
    const program = policyProgram(options),
      names = Object.keys(inputs.tokens),
      scalars = inputs.scalars ?? {};
    const tokens = golden.ids.flat().length, width = golden.logits[0]![0]!.length;
    const column = (name: string) => inputs.tokens[name]!.flatMap((row) => Array.from(row));
    const { outputs, cotangents } = evaluateVjp(
      (projected, id, ...rest) => {
        const named = Object.fromEntries(names.map((name, k) => [name, rest[k]!]));
        const given = Object.fromEntries(
          Object.keys(scalars).map((name, k) => [name, rest[names.length + k]!]),
        );
        return program.trace({ projected: projected!, tokens: { id: id!, ...named }, scalars: given }).loss!;
      },
      [
        f32([tokens, width], golden.logits.flat(2)),
        i64([tokens], golden.ids.flat()),
        ...names.map((name) => f32([tokens], column(name))),
        ...Object.values(scalars).map((value) => f32([], [value])),
      ],
      { wrt: [0], cotangents: [f32([], [1])] },
    );
    assertAlmostEquals(Number(outputs[0]!.data[0]), golden.loss, 5e-6);
    golden.gradient.flat(2).forEach((x, k) => assertAlmostEquals(Number(cotangents[0]!.data[k]), x, 5e-6));
  });
}

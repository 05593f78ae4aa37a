/**
 * A language of three tokens and responses of two: small enough to sum over all nine responses, so that every expectation is exact and the
 * policy must converge to the closed form. Rewards, KL penalty, GAE and the policy's objective are those of this folder; only the step
 * (natural gradient of a table of logits) is the test's.
 * @module
 */
import { assert, assertAlmostEquals } from "@std/assert";
import { gatherRows } from "@/lib/compute/autodiff/mod.ts";
import { f64, i64 } from "@/lib/compute/tensor/tensor.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";
import { gae } from "./gae.ts";
import { klEstimates } from "./kl.ts";
import { policyObjectivePerToken } from "./policy_objective.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { responseReward } from "./srppo_reward.ts";
import { tokenRewards } from "./token_rewards.ts";
import { NO_GUARDS } from "@/tests/support/no_guards.ts";

/** Logits [state][token]; state 0 is the prompt, state 1 + a follows token a. */
type Table = readonly (readonly number[])[];

const SFT: Table = [[0.9, 0.1, -0.4], [0.2, 1.1, -0.3], [-0.5, 0.4, 0.6], [0.3, -0.2, 0.7]];
const BASE: Table = [[0.1, 0.5, 0.2], [0.8, -0.1, 0.4], [0.3, 0.2, -0.9], [-0.6, 0.1, 0.5]];
const TOKENS = [0, 1, 2];
const RESPONSES = TOKENS.flatMap((a) => TOKENS.map((b) => [a, b] as const));

function logSoftmax(row: readonly number[]): number[] {
  const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
  return row.map((x) => x - total);
}

/** Log-probabilities of the two tokens of a response. */
function score(table: Table, [a, b]: readonly [number, number]): [number, number] {
  return [logSoftmax(table[0]!)[a]!, logSoftmax(table[1 + a]!)[b]!];
}

function probabilities(table: Table): number[] {
  return RESPONSES.map((y) => Math.exp(score(table, y)[0] + score(table, y)[1]));
}

/** The paper's reward of a response. */
function rewardOf(y: readonly [number, number]): number {
  const target = score(SFT, y), base = score(BASE, y);
  return responseReward(tokenRewards({ target, base, baseline: base, isEos: [0, 0] }, NO_GUARDS));
}

interface Setting {
  readonly reference: Table;
  readonly beta: number;
}

/** Rewards per token of each response under the policy. */
function rewardsOf(policy: Table, { reference, beta }: Setting): Float64Array[] {
  return RESPONSES.map((y) => {
    return ppoRewards(klEstimates("k1", score(policy, y), score(reference, y)), {
      beta,
      reward: rewardOf(y),
    });
  });
}

/** Gradient of the objective with respect to the table, and the mean total reward; exact. */
function exactGradient(policy: Table, setting: Setting): { gradient: number[][]; objective: number } {
  const rewards = rewardsOf(policy, setting), weight = probabilities(policy);
  const first = logSoftmax(policy[0]!).map(Math.exp);
  // the exact critic: expected rewards to come, after each first token and before it
  const after = TOKENS.map((a) =>
    RESPONSES.reduce(
      (sum, [a2, b], y) => a2 === a ? sum + Math.exp(logSoftmax(policy[1 + a]!)[b]!) * rewards[y]![1]! : sum,
      0,
    )
  );
  const before = TOKENS.reduce((sum, a) => sum + first[a]! * (rewards[3 * a]![0]! + after[a]!), 0);
  const advantages = RESPONSES.flatMap(([a], y) => [
    ...gae({ rewards: rewards[y]!, values: [before, after[a]!], gamma: 1, lambda: 0.95 }).advantages,
  ]);
  const n = [2 * RESPONSES.length];
  const { cotangents } = evaluateVjp(
    (table, states, ids, old, advantage) =>
      policyObjectivePerToken(
        { logits: gatherRows(table!, states!), ids: ids!, oldLogprobs: old!, advantages: advantage! },
        { clipLow: 0.2, clipHigh: 0.2 },
      ).loss,
    [
      f64([4, 3], policy.flat()),
      i64(n, RESPONSES.flatMap(([a]) => [0, 1 + a])),
      i64(n, RESPONSES.flat()),
      f64(n, RESPONSES.flatMap((y) => score(policy, y))),
      f64(n, advantages),
    ],
    { wrt: [0], cotangents: [f64(n, weight.flatMap((w) => [w, w]))] },
  );
  const flat = Array.from(cotangents[0]!.data, Number);
  return { gradient: policy.map((_, s) => flat.slice(3 * s, 3 * s + 3)), objective: before };
}

/** Natural-gradient steps: for a table of logits, the gradient divided by the probability of state and token. */
function optimise(setting: Setting, steps: number): { policy: Table; objectives: number[] } {
  let policy: Table = SFT;
  const objectives: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { gradient, objective } = exactGradient(policy, setting);
    const visits = [1, ...logSoftmax(policy[0]!).map(Math.exp)];
    const rate = 0.5 / setting.beta;
    policy = policy.map((row, s) => {
      const p = logSoftmax(row).map(Math.exp);
      return row.map((x, v) => x - rate * gradient[s]![v]! / (visits[s]! * p[v]!));
    });
    objectives.push(objective);
  }
  return { policy, objectives };
}

/** π_ref · e^{r/β}, normalised over all responses. */
function closedForm({ reference, beta }: Setting): number[] {
  const weight = probabilities(reference).map((p, y) => p * Math.exp(rewardOf(RESPONSES[y]!) / beta));
  const total = weight.reduce((a, b) => a + b);
  return weight.map((w) => w / total);
}

for (
  const [name, setting] of [
    ["SFT, beta 0.7", { reference: SFT, beta: 0.7 }],
    ["the base, beta 2", { reference: BASE, beta: 2 }],
    ["the base, beta 0.7", { reference: BASE, beta: 0.7 }],
  ] as const
) {
  Deno.test(`PPO converges to the closed form with the KL to ${name} (statement 69)`, () => {
    const { policy, objectives } = optimise(setting, 60);
    const optimum = closedForm(setting);
    probabilities(policy).forEach((p, y) => assertAlmostEquals(p, optimum[y]!, 1e-8));
    assert(
      Math.max(...optimum.map((p, y) => Math.abs(p - probabilities(SFT)[y]!))) > 0.05,
      "the optimum is not the SFT policy",
    );
    assert(objectives.at(-1)! > objectives[0]!);
  });
}

Deno.test("the first gradient is 0 with the KL to the base, beta 1, and the SFT policy (statement 68)", () => {
  const { gradient, objective } = exactGradient(SFT, { reference: BASE, beta: 1 });
  for (const g of gradient.flat()) assertAlmostEquals(g, 0, 1e-12);
  assertAlmostEquals(objective, 0, 1e-12);
  const other = exactGradient(SFT, { reference: SFT, beta: 1 }).gradient.flat();
  assert(Math.max(...other.map(Math.abs)) > 0.05, "with another reference there is a gradient");
});

Deno.test("the closed form with the base as reference and beta 1 is the SFT policy itself", () => {
  const sft = probabilities(SFT);
  closedForm({ reference: BASE, beta: 1 }).forEach((p, y) => assertAlmostEquals(p, sft[y]!, 1e-12));
});

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { TrainerState } from "@/lib/data/contracts/trainer_state.ts";
import { adaptiveKl } from "@/lib/model/rl/adaptive_kl.ts";
import { withDefaults } from "@/tests/support/ppo_rows.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { effectiveBeta, klControlOf, nextKlControl, relativeUnits } from "./kl_control.ts";
import type { RolloutStatistics } from "./statistics.ts";

const STATE: TrainerState = {
  kind: "ppo",
  policyUpdates: 8,
  criticUpdates: 8,
  iteration: 2,
  rewardCentre: 0,
  rewardScale: 1,
  beta: 0.3,
  fluencyFactor: 1.44,
};
const statistics = (given: Partial<RolloutStatistics>) =>
  ({ responses: 100, kl_to_sft: 12, kl_to_base: 0, base_nll: 2, ...given }) as RolloutStatistics;

Deno.test("beta is the parameter's unless a controller is on; then it is the state's, from the second iteration", () => {
  assertEquals(effectiveBeta(klControlOf(STATE, withDefaults({ beta: 0.1 }))), 0.1);
  assertEquals(effectiveBeta(klControlOf(STATE, withDefaults({ beta: 0.1, kl_target: 6 }))), 0.3);
  assertEquals(
    effectiveBeta(klControlOf({ ...STATE, iteration: 0 }, withDefaults({ beta: 0.1, kl_target: 6 }))),
    0.1,
  );
  assertAlmostEquals(
    effectiveBeta(klControlOf(STATE, withDefaults({ beta: 0.1, fluency_budget: 0 }))),
    0.144,
    1e-12,
  );
});

Deno.test("beta follows the KL to the penalty's reference, by adaptiveKl() and the iteration's responses (statement 30)", () => {
  const next = (kl_reference: "sft" | "base" | "both", policyUpdated = true) =>
    nextKlControl(
      { beta: 0.1, fluencyFactor: 1 },
      { statistics: statistics({ kl_to_sft: 12, kl_to_base: 3 }), firstNll: 2, policyUpdated },
      withDefaults({ beta: 0.1, kl_target: 6, kl_horizon: 1000, kl_reference }),
    ).beta;
  const expected = (kl: number) => adaptiveKl(0.1, kl, { target: 6, horizon: 1000, steps: 100 });
  assertEquals([next("sft"), next("base"), next("both")], [expected(12), expected(3), expected(7.5)]);
  assertEquals(next("sft", false), 0.1, "beta waits while only the critic is trained");
});

Deno.test("beyond the fluency budget beta grows, within it it falls, without a base NLL it stays", () => {
  const params = withDefaults({ fluency_budget: 0.05, fluency_growth: 1.5 });
  const factor = (base_nll: number | undefined, policyUpdated = true) => {
    const { base_nll: _, ...rest } = statistics({});
    const now = base_nll === undefined ? rest : { ...rest, base_nll };
    const control = { beta: 0.1, fluencyFactor: 1.5 };
    return nextKlControl(control, { statistics: now, firstNll: 1.5, policyUpdated }, params).fluencyFactor;
  };
  assertEquals([factor(1.6), factor(1.54), factor(undefined), factor(1.6, false)], [2.25, 1, 1.5, 1.5]);
});

Deno.test("a relative beta is in units of the first iteration's σ/√H, which the state keeps", () => {
  const params = withDefaults({ beta: null, relative_beta: 2 }), first = { ...STATE, iteration: 0 };
  const rollouts = [1, 3].map((reward) => ({ reward })), now = statistics({ response_entropy: 2 });
  assertEquals(relativeUnits(first, rollouts, now, withDefaults({})), undefined);
  const units = relativeUnits(first, rollouts, now, params);
  assertEquals(units, { beta_unit: 1, response_entropy: 2 });
  assertEquals(klControlOf(first, params, units).beta, 2);
  const later = { ...STATE, firstIteration: { ...units! } };
  assertEquals(relativeUnits(later, [{ reward: 100 }], statistics({ response_entropy: 50 }), params), units);
  assertEquals(klControlOf(later, params, units).beta, 2);
  const adaptive = withDefaults({ beta: null, relative_beta: 2, kl_target: 6 });
  assertEquals([klControlOf(first, adaptive, units).beta, klControlOf(later, adaptive, units).beta], [
    2,
    0.3,
  ]);
  assertThrows(
    () => relativeUnits(first, rollouts, statistics({ response_entropy: 0 }), params),
    DataError,
    "relative_beta and relative_kl_stop require responses with an entropy above 0, got 0 nats",
  );
});

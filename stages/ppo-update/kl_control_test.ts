import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { TrainerState } from "@/lib/contracts/trainer_state.ts";
import { adaptiveKl } from "@/lib/rl/adaptive_kl.ts";
import { withDefaults } from "@/tests/support/ppo_rows.ts";
import { betaOf, klWeightOf, nextKlWeight } from "./kl_control.ts";
import type { RoundFigures } from "./round_figures.ts";

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
const figures = (given: Partial<RoundFigures>) =>
  ({ responses: 100, kl_to_sft: 12, kl_to_base: 0, base_nll: 2, ...given }) as RoundFigures;

Deno.test("beta is the parameter's unless a controller is on; then it is the state's, from the second round", () => {
  assertEquals(betaOf(klWeightOf(STATE, withDefaults({ beta: 0.1 }))), 0.1);
  assertEquals(betaOf(klWeightOf(STATE, withDefaults({ beta: 0.1, kl_target: 6 }))), 0.3);
  assertEquals(
    betaOf(klWeightOf({ ...STATE, iteration: 0 }, withDefaults({ beta: 0.1, kl_target: 6 }))),
    0.1,
  );
  assertAlmostEquals(betaOf(klWeightOf(STATE, withDefaults({ beta: 0.1, fluency_budget: 0 }))), 0.144, 1e-12);
});

Deno.test("beta follows the KL to the penalty's reference, by adaptiveKl() and the round's responses (statement 30)", () => {
  const weight = { coefficient: 0.1, factor: 1 };
  const next = (kl_reference: "sft" | "base" | "both", moved = true) =>
    nextKlWeight(
      weight,
      { figures: figures({ kl_to_sft: 12, kl_to_base: 3 }), firstNll: 2, moved },
      withDefaults({ beta: 0.1, kl_target: 6, kl_horizon: 1000, kl_reference }),
    ).coefficient;
  const expected = (kl: number) => adaptiveKl(0.1, kl, { target: 6, horizon: 1000, steps: 100 });
  assertEquals([next("sft"), next("base"), next("both")], [expected(12), expected(3), expected(7.5)]);
  assertEquals(next("sft", false), 0.1, "while only the critic learns nothing is known");
});

Deno.test("beyond the fluency budget beta grows, within it it falls back, without a figure it stays", () => {
  const params = withDefaults({ fluency_budget: 0.05, fluency_growth: 1.5 }),
    weight = { coefficient: 0.1, factor: 1.5 };
  const factor = (base_nll: number | undefined, moved = true) => {
    const { base_nll: _, ...rest } = figures({});
    const now = base_nll === undefined ? rest as RoundFigures : figures({ base_nll });
    return nextKlWeight(weight, { figures: now, firstNll: 1.5, moved }, params).factor;
  };
  assertEquals([factor(1.6), factor(1.54), factor(undefined), factor(1.6, false)], [2.25, 1, 1.5, 1.5]);
});

import { assertEquals } from "@std/assert";
import { isCriticFree, params } from "./params.ts";

/** Problems of a set of parameters, as `name: message`. */
function problems(given: Record<string, unknown>): string[] {
  const { error } = params.safeParse(given);
  return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}

Deno.test("defaults go together, and each estimator's own need", () => {
  assertEquals(problems({}), []);
  for (const advantage_estimator of ["reinforce", "reinforce_pp", "rloo", "grpo"]) {
    assertEquals(problems({ advantage_estimator, placement: "dense" }), [], "no critic, no residual");
  }
  assertEquals(isCriticFree({ advantage_estimator: "gae" }), false);
});

Deno.test("parameters that do not go together are refused, all of them at once, by the one to change", () => {
  assertEquals(
    problems({
      kl_placement: "loss",
      kl_estimator: "k1",
      kl_target: 6,
      beta: 0,
      placement: "dense",
      whiten_rewards: true,
      tis_cap: 2,
      old_logprobs: "sampled",
      lr_schedule: "linear",
    }),
    [
      "kl_estimator: must be k2 or k3 where kl_placement is loss: k1 has not the KL's gradient there",
      "beta: must be above 0 where kl_target adapts it: 0 stays 0",
      "residual_critic: must be false where placement is dense: the critic then expects what is still to come, and with gamma 1 " +
      "the advantages are the same",
      "residual_critic: must be false where whiten_rewards is true: what was earned and what is paid are then in other units",
      "tis_cap: must be null where old_logprobs is sampled: there is nothing to weigh the sampler against",
      "schedule_iterations: must be given unless lr_schedule is constant",
    ],
  );
  assertEquals(problems({ advantage_estimator: "reinforce_pp", whiten_advantages: false }), [
    "whiten_advantages: must be true for reinforce_pp; without it, it is reinforce",
  ]);
  assertEquals(problems({ kl_estimator: "k3" }), [
    "kl_estimator: must be k1 where kl_placement is reward: k3 has not the KL's gradient there",
  ]);
  assertEquals(problems({ truncated_value: "bootstrap", advantage_estimator: "rloo", missing_eos: "mask" }), [
    "truncated_value: must be zero where advantage_estimator is rloo: there is no critic to say what is still to come",
    "truncated_value: must be zero where missing_eos is mask: nothing is learned from cut responses",
  ]);
  assertEquals(problems({ truncated_value: "bootstrap", missing_eos: "penalty" }), [
    "truncated_value: must be zero where missing_eos is penalty: the penalty is paid at an end, and bootstrap takes the response " +
    "to go on",
  ]);
  assertEquals(problems({ truncated_value: "bootstrap", placement: "dense", residual_critic: false }), []);
});

import { assertEquals } from "@std/assert";
import { isCriticFree, params } from "./params.ts";

/** Problems of a set of parameters, as `name: message`. */
function problems(given: Record<string, unknown>): string[] {
  const { error } = params.safeParse(given);
  return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}

Deno.test("the defaults are valid, and residual_critic does not matter without a critic", () => {
  assertEquals(problems({}), []);
  for (const advantage_estimator of ["reinforce", "reinforce_pp", "rloo", "grpo"]) {
    assertEquals(problems({ advantage_estimator, reward_placement: "dense" }), [], "no critic, no residual");
  }
  assertEquals(isCriticFree({ advantage_estimator: "gae" }), false);
});

Deno.test("parameters that exclude each other are refused, all at once, by the one to change", () => {
  assertEquals(
    problems({
      kl_placement: "loss",
      kl_estimator: "k1",
      kl_target: 6,
      beta: 0,
      reward_placement: "dense",
      whiten_rewards: true,
      tis_cap: 2,
      old_logprobs: "sampled",
      lr_schedule: "linear",
    }),
    [
      "kl_estimator: must be k2 or k3 with kl_placement=loss: the expected gradient of k1 in the loss is not that of a KL",
      "beta: must be above 0 with kl_target, because the KL controller multiplies it",
      "residual_critic: must be false with reward_placement=dense: use one of them, as with gamma 1 both give the same advantages",
      "residual_critic: must be false with whiten_rewards, because a residual critic adds rewards that are not whitened",
      "tis_cap: must be null with old_logprobs=sampled: the importance weights need recomputed log-probabilities",
      "schedule_iterations: must be given unless lr_schedule is constant",
    ],
  );
  assertEquals(problems({ beta: 0.7, relative_beta: 1, kl_stop: 5, relative_kl_stop: 0.1 }), [
    "relative_beta: must be null with beta=0.7: both set the coefficient of the KL penalty",
    "relative_kl_stop: must be null with kl_stop=5 and kl_stop_per_token=0.3 (null switches a stop off)",
  ]);
  assertEquals(
    problems({ relative_beta: 1, relative_kl_stop: 0.1, kl_stop_per_token: null, kl_target: 6 }),
    [],
  );
  assertEquals(problems({ advantage_estimator: "grpo", relative_beta: 1 }), [
    "relative_beta: must be null with advantage_estimator=grpo, which divides rewards by the deviation of each group: use beta",
  ]);
  assertEquals(problems({ advantage_estimator: "dr_grpo" }), [
    "max_new_tokens: must be that of rollout with advantage_estimator=dr_grpo, which divides by it",
  ]);
  assertEquals(problems({ loss_aggregation: "constant_length" }), [
    "max_new_tokens: must be that of rollout with loss_aggregation=constant_length, which divides by it",
  ]);
  assertEquals(problems({ advantage_estimator: "reinforce_pp", whiten_advantages: false }), [
    "whiten_advantages: must be true with advantage_estimator=reinforce_pp (without whitening, use reinforce)",
  ]);
  assertEquals(problems({ kl_estimator: "k3" }), [
    "kl_estimator: must be k1 with kl_placement=reward: the expected gradient of k3 in the reward is not that of a KL",
  ]);
  assertEquals(problems({ truncated_value: "bootstrap", advantage_estimator: "rloo", missing_eos: "mask" }), [
    "truncated_value: must be zero with advantage_estimator=rloo, because bootstrapping requires a critic",
    "truncated_value: must be zero with missing_eos=mask: truncated responses are excluded from training",
  ]);
  assertEquals(problems({ truncated_value: "bootstrap", missing_eos: "penalty" }), [
    "truncated_value: must be zero with missing_eos=penalty: the penalty treats the response as ended, bootstrap as unfinished",
  ]);
  assertEquals(
    problems({ truncated_value: "bootstrap", reward_placement: "dense", residual_critic: false }),
    [],
  );
});

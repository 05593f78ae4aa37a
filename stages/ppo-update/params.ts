/** Parameters of `ppo-update`: their schema, and which values exclude each other. @module */
import { z } from "zod";
import { ADVANTAGE_ESTIMATORS } from "@/lib/model/rl/advantage_estimators.ts";
import { AGGREGATIONS } from "@/lib/model/rl/aggregate.ts";
import { KL_ESTIMATORS_AT, KL_PLACEMENTS } from "@/lib/model/rl/kl_placement.ts";
import { MISSING_EOS, REWARD_PLACEMENTS, TRUNCATED_VALUES } from "@/lib/model/rl/ppo_rewards.ts";
import { SCHEDULES } from "@/lib/model/train/schedule.ts";

/** Fields of the schema; null switches off. */
const TRAINING_PARAMS = {
  epochs: z.int().positive().max(1_000_000).default(4)
    .describe("Epochs over the rollouts of an iteration.")
    .meta({ unit: "1", source: "arXiv:2403.17031: 4" }),
  minibatch_size: z.int().positive().max(1_000_000).default(32)
    .describe("Rollouts per update; the last minibatch may be smaller.")
    .meta({ unit: "rollouts", source: "PPO-max (arXiv:2307.04964): 32" }),
  lr: z.union([z.number().min(0), z.literal("auto")]).default(1e-6)
    .describe("Learning rate of the policy; auto: lr_ratio times that of lr_of.")
    .meta({ unit: "1", source: "OpenRLHF: 1e-6" }),
  lr_ratio: z.number().positive().default(0.15)
    .describe("Policy's learning rate divided by that of lr_of, with lr=auto.")
    .meta({
      unit: "1",
      source: "as in the quickstart; defaults of OpenRLHF: 1e-6 to 5e-6, TRL's GRPO: 1e-6 to 2e-5",
    }),
  critic_lr: z.union([z.number().min(0), z.literal("auto")]).default(9e-6)
    .describe("Learning rate of the critic; auto: critic_lr_ratio times that of lr_of.")
    .meta({ unit: "1", source: "OpenRLHF: 9e-6" }),
  critic_lr_ratio: z.number().positive().default(1)
    .describe("Critic's learning rate divided by that of lr_of, with critic_lr=auto.")
    .meta({ unit: "1", source: "as in the quickstart; defaults of OpenRLHF: 9e-6 to 5e-6" }),
  critic_warmup_iterations: z.int().min(0).default(2)
    .describe("Number of first iterations in which only the critic is trained.")
    .meta({ unit: "iterations", source: "ours; CSIL (arXiv:2305.16498) also trains its critic first" }),
  lr_warmup_iterations: z.int().min(0).default(5)
    .describe("Linear learning-rate warmup of the policy, after the critic warmup.")
    .meta({ unit: "iterations", source: "ours: as in the quickstart" }),
  lr_schedule: z.enum(SCHEDULES).default("constant")
    .describe("Learning-rate schedule over schedule_iterations; linear and cosine end at 0.")
    .meta({ source: "ours: the number of iterations need not be known; TRL and arXiv:2403.17031: linear" }),
  schedule_iterations: z.int().positive().nullable().default(null)
    .describe("Length of the learning-rate schedule; required unless lr_schedule=constant.")
    .meta({ unit: "iterations", source: "none: depends on the number of PPO iterations" }),
  ema_decay: z.number().gt(0).lt(1).nullable().default(null)
    .describe("EMA decay of the policy weights (output ema); null: no EMA.")
    .meta({
      unit: "1",
      source: "PPO: off; OpenRLHF: 0.992",
      details: "The average is updated after each update of the policy.",
    }),
  max_grad_norm: z.number().positive().default(1)
    .describe("Maximum gradient norm (clipping), for policy and critic separately.")
    .meta({ unit: "1", source: "OpenRLHF and verl: 1" }),
  beta1: z.number().min(0).lt(1).default(0.9).describe("AdamW β₁.")
    .meta({ unit: "1", source: "arXiv:1711.05101" }),
  beta2: z.number().min(0).lt(1).default(0.95).describe("AdamW β₂.")
    .meta({ unit: "1", source: "InstructGPT and OpenRLHF: 0.95" }),
  eps: z.number().positive().default(1e-8).describe("AdamW ε, added after the square root.")
    .meta({ unit: "1", source: "PyTorch: 1e-8; Huang et al. 2022: 1e-5" }),
  weight_decay: z.number().min(0).default(0).describe(
    "AdamW weight decay, applied to weight matrices only (not norms, biases).",
  )
    .meta({ unit: "1", source: "OpenRLHF: 0" }),
  micro_batch_tokens: z.int().positive().max(100_000_000).default(1024)
    .describe("Maximum tokens per forward and backward pass, padding included.")
    .meta({ unit: "tokens", source: "ours: larger passes exceed the CPU cache and are slower" }),
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature of the rollouts.")
    .meta({
      unit: "1",
      source: "as in rollout",
      details:
        "Must equal temperature of rollout: PPO ratios use log-probabilities at this temperature, KL those at temperature 1.",
    }),
  old_logprobs: z.enum(["recomputed", "sampled"]).default("recomputed")
    .describe("Old log-probabilities: recomputed with the training graph, or the sampler's own.")
    .meta({
      source: "verl and OpenRLHF: recomputed",
      details:
        "sampled saves one forward pass. Use it if sampler and training graph give the same probabilities (exact of rollout).",
    }),
  max_logprob_gap: z.number().positive().nullable().default(0.01)
    .describe("Error if mean |p−p_sampler| over sampled tokens exceeds this; null: off.")
    .meta({
      unit: "1",
      source: "verl: below 0.005 is normal, above 0.01 is an error",
      details:
        "p: recomputed probability of a sampled token; p_sampler: the one that the rollouts contain (logprobs).",
    }),
  tis_cap: z.number().positive().nullable().default(null)
    .describe("Cap of truncated importance-sampling weights p/p_sampler; null: no importance sampling.")
    .meta({
      unit: "1",
      source: "PPO: off; OpenRLHF and verl: 2, TRL: 3",
      details:
        "The weights multiply each token's policy loss. For rollouts from another policy, such as a quantised or an older one.",
    }),
  target_kl: z.number().positive().nullable().default(null)
    .describe("Early stopping: skip further policy updates when approx_kl exceeds this; null: off.")
    .meta({
      unit: "nats per token",
      source: "TRL: off; Spinning Up: 1.5 times 0.01",
      details: "Applies to the rest of the iteration; the critic is still updated.",
    }),
  max_skipped_updates: z.int().min(0).default(2)
    .describe("Maximum updates skipped per iteration for a non-finite loss or gradient.")
    .meta({ unit: "updates", source: "ours: tolerates one bad row, not a broken model" }),
  warn_length_factor: z.number().gt(1).nullable().default(1.5)
    .describe("Warn if the mean response length changes by this factor; null: never.")
    .meta({
      unit: "1",
      source: "ours: 50 % longer",
      details: "Compared with the first iteration; only if the reward is significantly higher than then.",
    }),
  warn_repetition: z.number().positive().nullable().default(0.1)
    .describe("Warn if the share of repeated 4-grams rises by this; null: never.")
    .meta({
      unit: "1",
      source: "ours: a tenth of all 4-grams",
      details: "Compared with the first iteration; only if the reward is significantly higher than then.",
    }),
  warn_kl_per_token: z.number().positive().nullable().default(0.2)
    .describe("Warn if the KL to SFT per token exceeds this; null: never.")
    .meta({
      unit: "nats per token",
      source: "ours: two thirds of kl_stop_per_token",
      details: "Only if the reward is significantly higher than in the first iteration.",
    }),
  kept_samples: z.int().min(0).max(100_000).default(4)
    .describe("Number of responses in the output samples.")
    .meta({
      unit: "responses",
      source: "ours",
      details: "The first responses of the iteration; those that a warning names are added.",
    }),
} as const;

/** Fields of the schema; null switches off. */
const OBJECTIVE_PARAMS = {
  beta: z.number().min(0).default(0.05)
    .describe("β: coefficient of the KL penalty.")
    .meta({
      unit: "nats of raw reward per nat of KL",
      source: "TRL and arXiv:2403.17031: 0.05",
      details:
        "Applies to the raw reward: normalising the reward divides β by the same scale. With kl_target it is the initial value.",
    }),
  kl_reference: z.enum(["sft", "base", "both"]).default("sft")
    .describe("Reference model of the KL penalty: sft, base, or both (averaged).")
    .meta({ source: "InstructGPT (arXiv:2203.02155): the SFT model" }),
  kl_placement: z.enum(KL_PLACEMENTS).default("reward")
    .describe("Where the KL penalty is added: each token's reward or policy loss.")
    .meta({ source: "InstructGPT: in the reward; GRPO (arXiv:2402.03300): in the loss" }),
  kl_estimator: z.enum(["k1", "k2", "k3"]).nullable().default(null)
    .describe("KL estimator; null: k1 in the reward, k2 in the loss.")
    .meta({
      source: "Schulman 2020, Approximating KL divergence; arXiv:2506.09477",
      details:
        "kl_placement=reward allows k1, loss allows k2 and k3. The others are errors: their expected gradient is not that of a KL.",
    }),
  kl_clip: z.number().positive().nullable().default(null)
    .describe("Clip range of each token's log-ratio in the KL penalty.")
    .meta({
      unit: "nats",
      source: "PPO: off; verl: 20, OpenRLHF: 10",
      details: "null: no clipping with kl_placement=reward, 20 with kl_placement=loss.",
    }),
  kl_target: z.number().positive().nullable().default(null)
    .describe("Target of the adaptive KL controller; null: β is fixed.")
    .meta({
      unit: "nats per response",
      source: "TRL: off; Ziegler et al. 2019: 6",
      details: "The KL is that to kl_reference. β is adapted after every iteration that updates the policy.",
    }),
  kl_horizon: z.number().positive().default(10000)
    .describe("Horizon of the adaptive KL controller.")
    .meta({
      unit: "responses",
      source: "Ziegler et al. 2019: 10000",
      details: "β changes by a factor of at most about e^0.2 over this many responses.",
    }),
  fluency_budget: z.number().min(0).nullable().default(null)
    .describe("Rise of base_nll beyond which β is increased; null: off.")
    .meta({
      unit: "nats per token",
      source: "ours: off; a rise of 0.05 is barely visible in the text",
      details:
        "base_nll is the NLL of the responses under the base model; its rise is measured from the first iteration.",
    }),
  fluency_growth: z.number().gt(1).default(1.2)
    .describe("Factor that multiplies β in each iteration beyond fluency_budget.")
    .meta({
      unit: "1",
      source: "ours: doubles β in four iterations",
      details:
        "In iterations within the budget, β is divided by it, but not below the value that it has without a budget.",
    }),
  kl_stop: z.number().positive().nullable().default(null)
    .describe("Stop training when the mean KL to SFT exceeds this; null: off.")
    .meta({
      unit: "nats per response",
      source: "ours: off, as this KL grows with the response length; see kl_stop_per_token",
    }),
  kl_stop_per_token: z.number().positive().nullable().default(0.3)
    .describe("Stop training when KL to SFT per token exceeds this; null: off.")
    .meta({
      unit: "nats per token",
      source: "ours: a third of the KL of the best models in arXiv:2403.17031 (50 nats per 53 tokens)",
    }),
  normalise_reward: z.boolean().default(true)
    .describe("Normalise rewards: subtract the mean, divide by the standard deviation.")
    .meta({ source: "Ziegler et al. 2019 (arXiv:1909.08593)" }),
  reward_scaling: z.enum(["first_iteration", "running"]).default("first_iteration")
    .describe("Normalisation statistics: from the first iteration only, or running over all iterations.")
    .meta({ source: "Ziegler et al. 2019: fixed; PPO-max (arXiv:2307.04964): running" }),
  centre_reward: z.boolean().default(true)
    .describe("Subtract the mean in normalisation; false: divide only.")
    .meta({ source: "Ziegler et al. 2019; PPO-max and Huang et al. 2022: false" }),
  reward_clip: z.number().positive().nullable().default(null)
    .describe("Clip range of the normalised reward; null: off.")
    .meta({ unit: "normalised reward", source: "Ziegler et al. 2019: off; PPO-max and OpenRLHF: 10" }),
  missing_eos: z.enum(MISSING_EOS).default("score")
    .describe("Truncated responses: keep reward (score), use missing_eos_value (penalty), exclude (mask).")
    .meta({
      source: "TRL: reward kept (missing_eos_penalty, mask_truncated_completions)",
      details:
        "score: keep the reward. penalty: replace it by missing_eos_value. mask: exclude the response from training.",
    }),
  missing_eos_value: z.number().default(-1)
    .describe("Reward of truncated responses with missing_eos=penalty.")
    .meta({ unit: "normalised reward", source: "arXiv:2403.17031: −1" }),
  reward_placement: z.enum(REWARD_PLACEMENTS).default("eos")
    .describe("Reward at the last token (eos) or at every token (dense).")
    .meta({ source: "Self-Rewarding PPO (arXiv:2510.21090): eos" }),
  whiten_rewards: z.boolean().default(false)
    .describe("Whiten token rewards (KL penalty included) without shifting the mean.")
    .meta({
      source: "TRL: false",
      details: "Divides by the standard deviation over all tokens of an iteration; the mean is unchanged.",
    }),
  advantage_estimator: z.enum(ADVANTAGE_ESTIMATORS).default("gae")
    .describe("Advantage estimator; only gae uses a critic.")
    .meta({
      source: "PPO (arXiv:1707.06347): gae",
      details:
        "rloo, grpo and reinforce_pp_baseline compare responses to one prompt and require samples_per_prompt above 1 in " +
        "rollout. If a critic is given although it is not used, it is copied to the output.",
    }),
  gamma: z.number().gt(0).max(1).default(1)
    .describe("Discount factor γ per token.").meta({ unit: "1", source: "InstructGPT: 1" }),
  lambda: z.number().min(0).max(1).default(0.95)
    .describe("GAE λ.").meta({
      unit: "1",
      source: "arXiv:2403.17031: 0.95",
    }),
  residual_critic: z.boolean().default(true)
    .describe("Residual critic: value = reward of tokens so far + critic output.")
    .meta({
      source: "ours: same objective, less variance than a plain critic",
      details:
        "The critic then predicts only the reward of the remaining tokens. With gamma 1 the advantages are exactly those of dense rewards.",
    }),
  truncated_value: z.enum(TRUNCATED_VALUES).default("zero")
    .describe("Value after a truncated response: 0, or the critic's value (bootstrap).")
    .meta({
      source: "TRL, OpenRLHF and verl: zero; Pardo et al. 2018 (arXiv:1712.00378): bootstrap",
      details:
        "With bootstrap, the critic's value replaces the reward at the last token of truncated responses.",
    }),
  whiten_advantages: z.boolean().default(true)
    .describe("Whiten advantages over all tokens of an iteration.")
    .meta({ source: "arXiv:2403.17031" }),
  advantage_clip: z.number().positive().nullable().default(null)
    .describe("Clip range of advantages, after whitening; null: off.")
    .meta({ unit: "1", source: "PPO: off; PPO-max (arXiv:2307.04964) tried 0.5" }),
  clip_range: z.number().gt(0).lt(1).default(0.2)
    .describe("PPO clip range ε: ratios are clipped to [1−ε, 1+ε].")
    .meta({ unit: "1", source: "arXiv:1707.06347: 0.2" }),
  clip_range_high: z.number().positive().nullable().default(null)
    .describe("Upper clip range: ratios are clipped to 1+this; null: clip_range.")
    .meta({ unit: "1", source: "PPO: clip_range; DAPO (arXiv:2503.14476): 0.28" }),
  dual_clip: z.number().gt(1).nullable().default(null)
    .describe("Dual-clip constant c for tokens with negative advantage; null: off.")
    .meta({
      unit: "1",
      source: "PPO: off; verl: 3 (arXiv:1912.09729)",
      details: "The loss of such a token is at most c·|A|.",
    }),
  clip_range_value: z.number().positive().nullable().default(0.2)
    .describe("Clip range of the value around the old value; null: off.")
    .meta({ unit: "normalised reward", source: "TRL: 0.2" }),
  loss_aggregation: z.enum(AGGREGATIONS).default("token_mean")
    .describe("Policy loss: mean over tokens, or mean of per-response means or sums.")
    .meta({ source: "TRL, OpenRLHF and verl: token mean; GRPO: sequence mean" }),
  entropy_coef: z.number().min(0).default(0)
    .describe("Coefficient of the entropy bonus.")
    .meta({ unit: "1", source: "InstructGPT: 0" }),
  demo_mix: z.number().min(0).default(0)
    .describe("Coefficient of an SFT loss on demonstrations (input tokens).")
    .meta({
      unit: "1",
      source: "PPO: 0; PPO-ptx (arXiv:2203.02155): 27.8, with advantages that are not whitened",
      details: "Each update uses as many demonstrations as a minibatch has rollouts.",
    }),
} as const;

/** Strict schema of the stage's parameters; null switches off. */
export const params = z.strictObject({ ...TRAINING_PARAMS, ...OBJECTIVE_PARAMS })
  .superRefine((given, context) => {
    for (const [name, message] of conflicts(given)) {
      context.addIssue({ code: "custom", path: [name], message });
    }
  });

/** Checked parameters. */
export type Params = z.output<typeof params>;

/** Old names of parameters, with their new ones. */
export const RENAMED = {
  critic_warmup_rounds: "critic_warmup_iterations",
  lr_warmup_rounds: "lr_warmup_iterations",
  schedule_rounds: "schedule_iterations",
  placement: "reward_placement",
} as const;

/** Returns whether the advantage estimator needs no critic. */
export function isCriticFree({ advantage_estimator }: Pick<Params, "advantage_estimator">): boolean {
  return advantage_estimator !== "gae";
}

/** Returns the parameters that exclude each other: the one to change, and what it must be. */
function conflicts(p: Params): [keyof Params, string][] {
  const found: [keyof Params, string][] = [];
  const rule = (broken: boolean, name: keyof Params, message: string) => {
    if (broken) found.push([name, message]);
  };
  const hasResidualCritic = p.residual_critic && !isCriticFree(p);
  const estimators: readonly string[] = KL_ESTIMATORS_AT[p.kl_placement];
  rule(
    p.kl_estimator !== null && !estimators.includes(p.kl_estimator),
    "kl_estimator",
    `must be ${
      estimators.join(" or ")
    } with kl_placement=${p.kl_placement}: the expected gradient of ${p.kl_estimator} in the ${p.kl_placement} is not that of a KL`,
  );
  rule(
    p.kl_target !== null && p.beta === 0,
    "beta",
    "must be above 0 with kl_target, because the KL controller multiplies it",
  );
  rule(
    p.reward_placement === "dense" && hasResidualCritic,
    "residual_critic",
    "must be false with reward_placement=dense: use one of them, as with gamma 1 both give the same advantages",
  );
  rule(
    p.whiten_rewards && hasResidualCritic,
    "residual_critic",
    "must be false with whiten_rewards, because a residual critic adds rewards that are not whitened",
  );
  rule(
    p.truncated_value === "bootstrap" && isCriticFree(p),
    "truncated_value",
    `must be zero with advantage_estimator=${p.advantage_estimator}, because bootstrapping requires a critic`,
  );
  rule(
    p.truncated_value === "bootstrap" && p.missing_eos !== "score",
    "truncated_value",
    `must be zero with missing_eos=${p.missing_eos}: ${
      p.missing_eos === "mask"
        ? "truncated responses are excluded from training"
        : "the penalty treats the response as ended, bootstrap as unfinished"
    }`,
  );
  rule(
    p.advantage_estimator === "reinforce_pp" && !p.whiten_advantages,
    "whiten_advantages",
    "must be true with advantage_estimator=reinforce_pp (without whitening, use reinforce)",
  );
  rule(
    p.tis_cap !== null && p.old_logprobs === "sampled",
    "tis_cap",
    "must be null with old_logprobs=sampled: the importance weights need recomputed log-probabilities",
  );
  rule(
    p.lr_schedule !== "constant" && p.schedule_iterations === null,
    "schedule_iterations",
    "must be given unless lr_schedule is constant",
  );
  return found;
}

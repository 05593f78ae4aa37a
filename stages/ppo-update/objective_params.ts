/** Parameters of `ppo-update` that say what is maximised: rewards, KL penalty, advantages, losses. @module */
import { z } from "zod";
import { ADVANTAGE_ESTIMATORS } from "@/lib/model/rl/advantage_estimators.ts";
import { AGGREGATIONS } from "@/lib/model/rl/aggregate.ts";
import { KL_PLACEMENTS } from "@/lib/model/rl/kl_placement.ts";
import { MISSING_EOS, REWARD_PLACEMENTS, TRUNCATED_VALUES } from "@/lib/model/rl/ppo_rewards.ts";

/** Fields of the schema; null switches off, or leaves the value to advantage_estimator (presets.ts). */
export const OBJECTIVE_PARAMS = {
  beta: z.number().min(0).nullable().default(null)
    .describe("β: coefficient of the KL penalty; null: 0.05, see details.")
    .meta({
      unit: "nats of raw reward per nat of KL",
      source: "TRL and arXiv:2403.17031: 0.05",
      details:
        "null: 0.05; 0.04 with advantage_estimator=grpo (arXiv:2402.03300), where it is per group-normalised reward; 0 with dr_grpo and dapo. Applies to the raw reward: normalising the reward divides β by the same scale. With kl_target it is the initial value.",
    }),
  relative_beta: z.number().positive().nullable().default(null)
    .describe("β in units of reward spread over √entropy; null: use beta.")
    .meta({
      unit: "1",
      source: "ours; 1.4 in align.yaml, which is β 0.7 in the quickstart",
      details:
        "β = relative_beta · σ/√H, with σ the standard deviation of the rewards and H the entropy of the responses (nats per response) in " +
        "the first iteration. At this β the optimal policy has a KL to SFT of about H/(2·relative_beta²), whatever the reward's scale, the " +
        "length of responses and the vocabulary. Excludes beta.",
    }),
  kl_reference: z.enum(["sft", "base", "both"]).default("sft")
    .describe("Reference model of the KL penalty: sft, base, or both (averaged).")
    .meta({ source: "InstructGPT (arXiv:2203.02155): the SFT model" }),
  kl_placement: z.enum(KL_PLACEMENTS).nullable().default(null)
    .describe("Where the KL penalty is added: each token's reward or policy loss.")
    .meta({
      source: "InstructGPT: in the reward; GRPO (arXiv:2402.03300): in the loss",
      details: "null: loss with advantage_estimator=grpo, dr_grpo or dapo, reward otherwise.",
    }),
  kl_estimator: z.enum(["k1", "k2", "k3"]).nullable().default(null)
    .describe("KL estimator; null: k1 in the reward, k2 in the loss.")
    .meta({
      source: "Schulman 2020, Approximating KL divergence; arXiv:2506.09477",
      details:
        "null in the loss: k3 with advantage_estimator=grpo, dr_grpo or dapo, k2 otherwise. kl_placement=reward allows k1, loss allows k2 and k3. The others are errors: their expected gradient is not that of a KL.",
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
  relative_kl_stop: z.number().positive().nullable().default(null)
    .describe("Stop training when KL to SFT over entropy exceeds this; null: off.")
    .meta({
      unit: "1",
      source: "ours; 0.14 in align.yaml, which is 5 nats in the quickstart",
      details:
        "KL to SFT and entropy are nats per response; the entropy is that of the first iteration. Requires kl_stop and kl_stop_per_token " +
        "to be null.",
    }),
  normalise_reward: z.boolean().nullable().default(null)
    .describe("Normalise rewards: subtract the mean, divide by the standard deviation.")
    .meta({
      source: "Ziegler et al. 2019 (arXiv:1909.08593): true; TRL's GRPO: false",
      details: "null: false with advantage_estimator=grpo, dr_grpo or dapo, true otherwise.",
    }),
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
        "rloo, reinforce_pp_baseline, grpo, dr_grpo and dapo compare responses to one prompt and require samples_per_prompt above 1 in " +
        "rollout. grpo, dr_grpo and dapo are presets: they also decide whiten_advantages, normalise_reward, kl_placement, kl_estimator, " +
        "loss_aggregation, beta and (dapo) clip_range_high where these are null. If a critic is given although it is not used, it is copied to the output.",
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
  critic_trunk: z.enum(["separate", "shared"]).default("separate")
    .describe("Critic: a separate network, or a value head on the policy.")
    .meta({
      source: "OpenRLHF and verl: a network of its own; TRL's value-head models: shared",
      details:
        "shared: one trunk with two heads, one forward and backward pass per update. The value head starts at zeros and is kept in state; " +
        "its learning rate is critic_lr. The input critic is not needed, and copied to the output if it is given.",
    }),
  vf_coef: z.number().positive().default(0.1)
    .describe("Coefficient of the value loss with critic_trunk=shared.")
    .meta({
      unit: "1",
      source: "TRL: 0.1",
      details: "A separate critic has a loss of its own, where a coefficient has no effect.",
    }),
  truncated_value: z.enum(TRUNCATED_VALUES).default("zero")
    .describe("Value after a truncated response: 0, or the critic's value (bootstrap).")
    .meta({
      source: "TRL, OpenRLHF and verl: zero; Pardo et al. 2018 (arXiv:1712.00378): bootstrap",
      details:
        "With bootstrap, the critic's value replaces the reward at the last token of truncated responses.",
    }),
  whiten_advantages: z.boolean().nullable().default(null)
    .describe("Whiten advantages over all tokens of an iteration.")
    .meta({
      source: "arXiv:2403.17031: true; TRL's GRPO: false",
      details: "null: false with advantage_estimator=grpo, dr_grpo or dapo, true otherwise.",
    }),
  advantage_clip: z.number().positive().nullable().default(null)
    .describe("Clip range of advantages, after whitening; null: off.")
    .meta({ unit: "1", source: "PPO: off; PPO-max (arXiv:2307.04964) tried 0.5" }),
  clip_range: z.number().gt(0).lt(1).default(0.2)
    .describe("PPO clip range ε: ratios are clipped to [1−ε, 1+ε].")
    .meta({ unit: "1", source: "arXiv:1707.06347: 0.2" }),
  clip_range_high: z.number().positive().nullable().default(null)
    .describe("Upper clip range: ratios are clipped to 1+this; null: clip_range.")
    .meta({
      unit: "1",
      source: "PPO: clip_range; DAPO (arXiv:2503.14476): 0.28",
      details: "null: 0.28 with advantage_estimator=dapo, clip_range otherwise.",
    }),
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
  loss_aggregation: z.enum(AGGREGATIONS).nullable().default(null)
    .describe("Policy loss: mean over tokens, or mean of per-response means or sums.")
    .meta({
      source: "TRL, OpenRLHF and verl: token mean; GRPO: sequence mean; Dr. GRPO: constant length",
      details:
        "constant_length: mean of the responses' sums, divided by max_new_tokens. null: sequence_mean with advantage_estimator=grpo, " +
        "constant_length with dr_grpo, token_mean otherwise. The mean is over a minibatch.",
    }),
  max_new_tokens: z.int().positive().max(10_000_000).nullable().default(null)
    .describe("Divisor of loss_aggregation=constant_length: max_new_tokens of rollout.")
    .meta({ unit: "tokens", source: "TRL: max_completion_length; none: depends on rollout" }),
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

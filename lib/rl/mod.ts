/**
 * The arithmetic of PPO and of the self-rewarding reward. Host functions take ragged rows of response tokens and work in float64;
 * losses are differentiable functions of one value per token.
 * @module
 */
export * from "./adaptive_kl.ts";
export * from "./advantage_estimators.ts";
export * from "./aggregate.ts";
export * from "./bagged_reward.ts";
export * from "./diversity.ts";
export * from "./explained_variance.ts";
export * from "./fluency_budget.ts";
export * from "./gae.ts";
export * from "./group_baselines.ts";
export * from "./importance_sampling.ts";
export * from "./kl.ts";
export * from "./kl_loss.ts";
export * from "./kl_placement.ts";
export * from "./length_norm.ts";
export * from "./moments.ts";
export * from "./pair_loss.ts";
export * from "./policy_clip.ts";
export * from "./policy_loss.ts";
export * from "./policy_objective.ts";
export * from "./policy_statistics.ts";
export * from "./ppo_rewards.ts";
export * from "./reinforce_plus_plus.ts";
export * from "./residual_critic.ts";
export * from "./response_end.ts";
export * from "./rows.ts";
export * from "./running_moments.ts";
export * from "./srppo_reward.ts";
export * from "./token_logprobs.ts";
export * from "./value_loss.ts";
export * from "./value_statistics.ts";
export * from "./whiten.ts";

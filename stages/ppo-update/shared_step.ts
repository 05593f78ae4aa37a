/** One update of policy and critic on a shared trunk: one forward and backward pass over both heads. @module */
import { onValueHead } from "@/lib/model/train/head_program.ts";
import { twoHeadProgram, valueProgram } from "@/lib/model/train/ppo_programs.ts";
import { finishCritic, valueInputs } from "./critic_step.ts";
import {
  discardGradients,
  type Learner,
  type Minibatch,
  minibatchGradients,
  tokenWeights,
  type UpdateResult,
} from "./minibatch.ts";
import type { Params } from "./params.ts";
import { finishPolicy, policyLoss, type PolicyResult, type PolicyStepOptions } from "./policy_step.ts";

/** The parts of a network with two heads, and how they are updated. */
interface SharedStep extends PolicyStepOptions {
  /** trunk and output weights */
  readonly policy: Learner;
  /** the value head */
  readonly critic: Learner;
  readonly criticLr: number;
  /** false: only the value head is updated, so that the policy stays as it is */
  readonly updatesPolicy: boolean;
}

/**
 * Makes one AdamW step of each part on a minibatch. The loss is policy loss + vf_coef · value loss, so the value loss also trains the trunk; each part
 * has its own learning rate and gradient clipping. Where the policy is not updated, the gradient of the trunk is discarded.
 * @returns `policy` is absent where it was not to be updated, or something was not finite
 */
export function sharedStep(
  minibatch: Minibatch,
  step: SharedStep,
  params: Params,
): { readonly critic: UpdateResult; readonly policy?: PolicyResult } {
  const { trajectories } = minibatch, { policy, critic, criticLr, updatesPolicy } = step;
  const { vf_coef: coefficient, clip_range_value: clipRange } = params;
  const weights = tokenWeights(trajectories, "token_mean").map((row) => row.map((w) => coefficient * w));
  const ofValue = valueInputs(trajectories),
    { options, inputs } = policyLoss(trajectories, step.scaledBeta, params);
  const backward = updatesPolicy
    ? minibatchGradients(minibatch, policy, twoHeadProgram(options, clipRange), {
      ...inputs,
      tokens: { ...inputs.tokens, ...ofValue, valueWeight: weights },
    }, params)
    : minibatchGradients(minibatch, policy, onValueHead(valueProgram(clipRange)), {
      tokens: { ...ofValue, weight: weights },
    }, params);
  if ("nonFinite" in backward) {
    discardGradients(critic); // those of the policy are discarded already
    return { critic: backward };
  }
  const { passes } = backward;
  const criticResult = finishCritic(minibatch, critic, passes, criticLr, params);
  if (!updatesPolicy || "nonFinite" in criticResult) {
    discardGradients(policy);
    return { critic: criticResult };
  }
  const loss = passes.reduce((sum, { loss }) => sum + loss, 0) -
    coefficient * criticResult.metrics.value_loss!;
  return {
    critic: criticResult,
    policy: finishPolicy(minibatch, policy, { passes, loss, options }, step, params),
  };
}

/** One update on a minibatch: of critic and policy one after the other, or of both heads of one network at once. @module */
import { criticStep } from "./critic_step.ts";
import type { Learner, Minibatch, UpdateResult } from "./minibatch.ts";
import type { Params } from "./params.ts";
import { type PolicyResult, policyStep, type PolicyStepOptions } from "./policy_step.ts";
import { sharedStep } from "./shared_step.ts";

/** What all updates of an iteration share. */
export interface UpdateStep extends PolicyStepOptions {
  readonly policy: Learner;
  /** absent where the estimator needs none */
  readonly critic: Learner | undefined;
  /** whether the critic is a head on the policy's network */
  readonly isShared: boolean;
  readonly criticLr: number;
}

/** The results of an update by network; absent where one was not to be updated. */
export interface StepResults {
  readonly critic?: UpdateResult;
  readonly policy?: PolicyResult;
}

/**
 * Updates the critic, where there is one, and the policy.
 * @param updatesPolicy false during the critic's warm-up and after an early stop
 * @throws {DataError} as `policyStep()`
 */
export function updateStep(
  minibatch: Minibatch,
  { isShared, critic, ...step }: UpdateStep,
  updatesPolicy: boolean,
  params: Params,
): StepResults {
  if (isShared) return sharedStep(minibatch, { ...step, critic: critic!, updatesPolicy }, params);
  return {
    ...(critic && { critic: criticStep(minibatch, critic, step.criticLr, params) }),
    ...(updatesPolicy && { policy: policyStep(minibatch, step.policy, step, params) }),
  };
}

/**
 * Computes the metrics of responses: by the checker, by counting, and from the log-probabilities of frozen models. The responses
 * of all models go through each frozen model together.
 * @module
 */
import { parsedMeta, type RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { stoppable } from "@/lib/data/contracts/stop.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { baseNll, responseSequence } from "@/lib/model/reward/reward_model.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import { type AuditMetrics, auditMetrics } from "./audit.ts";
import type { EvaluatedResponse, SampledResponse } from "./evaluated_response.ts";
import { judgeNll, type Nll } from "./judge.ts";
import type { Evaluation } from "./read_inputs.ts";

/** Sources of metrics; metrics of an undefined one are not computed. */
export interface MetricSources extends
  Pick<
    Evaluation,
    "tokenizer" | "checker" | "promptsPath" | "reward" | "sft" | "base" | "audit" | "judge"
  > {
  /** ids that end a response under any of the models */
  readonly eosIds: readonly number[];
  /** called after every micro-batch; may throw to stop */
  readonly onPiece: () => void;
}

/**
 * Returns the responses with their metrics, in their order.
 * @throws {DataError} if a prompt does not fit the checker, or the checker returns a metric with a reserved name
 */
export async function scoreResponses(
  responses: readonly SampledResponse[],
  sources: MetricSources,
): Promise<EvaluatedResponse[]> {
  const { tokenizer, checker, promptsPath } = sources;
  const { metrics, fluency, tokenRewards } = await modelMetrics(responses.map(({ row }) => row), sources);
  const texts = responses.map(({ row }) => tokenizer.decode(row.responseIds, { skipSpecial: true }));
  const judged = sources.judge && await judgeNll(sources.judge, texts, sources.onPiece);
  const checkedMetrics = await checker?.(responses.map(({ row }, i) => ({
    meta: parsedMeta(row, promptsPath),
    response: texts[i]!,
    ended: row.finishReason !== "length",
  })));
  return responses.map((sampled, i) => {
    const { row } = sampled, response = texts[i]!, checked = checkedMetrics?.[i] ?? {};
    const reserved = Object.keys(checked).filter((name) => RESERVED.has(name));
    if (reserved.length > 0) {
      throw new DataError(
        `The checker must not return metrics with reserved names, got ${reserved.join(", ")}`,
      );
    }
    const counted = {
      eos_rate: row.finishReason === "eos" ? 1 : 0,
      response_length: row.responseIds.length,
    };
    return {
      ...sampled,
      response,
      metrics: { ...checked, ...counted, ...metrics[i] },
      nlls: given({ base_nll: fluency[i], judge_nll: judged?.[i] }),
      tokenRewards: tokenRewards?.[i],
    };
  });
}

function given(nlls: Readonly<Record<string, Nll | undefined>>): Record<string, Nll> {
  return Object.fromEntries(Object.entries(nlls).flatMap(([metric, nll]) => nll ? [[metric, nll]] : []));
}

const RESERVED = new Set([
  "eos_rate",
  "response_length",
  "kl_to_sft",
  "reward",
  "audit_reward",
  "audit_reward_without_eos",
  "base_nll",
  "judge_nll",
  "distinct_2",
  "validation_nll",
]);

/** Metrics from frozen models, one element per row. */
interface ModelMetrics {
  readonly metrics: readonly Readonly<Record<string, number>>[];
  readonly fluency: readonly (Nll | undefined)[];
  /** undefined without a reward */
  readonly tokenRewards: readonly Float32Array[] | undefined;
}

/**
 * Computes the KL to SFT, Σ log π − log π_sft over the response, with log π at temperature 1 from sampling; the raw reward, the
 * sum of its tokens' rewards; and `baseNll()`.
 */
async function modelMetrics(
  rows: readonly RolloutRow[],
  { reward, sft, base, audit, eosIds, tokenizer: { bosId }, onPiece }: MetricSources,
): Promise<ModelMetrics> {
  let sftLogprobs: readonly Float32Array[] | undefined, rewards: readonly number[] | undefined;
  let tokenRewards: readonly Float32Array[] | undefined;
  let audited: readonly AuditMetrics[] | undefined;
  let fluency: (Nll | undefined)[] = rows.map(() => undefined);
  if (reward) {
    // Without an SFT model the first member takes its place: it is scored anyway, and KL is left out below.
    const reference = sft ?? reward.sources().members[0]!;
    const scored = await runYielding(stoppable(reward.score(rows, { sft: reference, bosId }), onPiece));
    rewards = scored.map(({ rawReward }) => rawReward);
    tokenRewards = scored.map((row) => row.tokenRewards);
    sftLogprobs = scored.map((row) => row.sftLogprobs);
    const ends = new Set(reward.manifest.eosIds);
    fluency = scored.map(({ baseNll: mean, responseIds }) => {
      const body = responseIds.reduce((count, id) => count + (ends.has(id) ? 0 : 1), 0);
      return mean === null ? undefined : { mean, tokens: bosId === null ? body - 1 : body };
    });
    if (audit) {
      const work = tokenLogprobsWork(frozenNetwork(audit.path, audit.digest), rows.map(responseSequence));
      const target = await runYielding(stoppable(work, onPiece));
      audited = auditMetrics(scored, target, reward.manifest);
    }
  } else if (sft) {
    const work = tokenLogprobsWork(frozenNetwork(sft.path, sft.digest), rows.map(responseSequence));
    sftLogprobs = await runYielding(stoppable(work, onPiece));
  }
  if (base && base.digest !== reward?.manifest.base.digest) {
    const options = { bosId, eosIds: reward?.manifest.eosIds ?? eosIds };
    const work = baseNll(frozenNetwork(base.path, base.digest), rows, options);
    const found = await runYielding(stoppable(work, onPiece));
    fluency = found.map(({ mean, tokens }) => mean === null ? undefined : { mean, tokens });
  }
  const metrics = rows.map((row, i) => ({
    ...(sft ? { kl_to_sft: sumOf(row.logprobsT1 ?? row.logprobs) - sumOf(sftLogprobs![i]!) } : {}),
    ...(rewards ? { reward: rewards[i]! } : {}),
    ...audited?.[i],
  }));
  return { metrics, fluency, tokenRewards };
}

function sumOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

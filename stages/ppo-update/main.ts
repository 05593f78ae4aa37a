/**
 * The program `ppo-update`: a round of scored rollouts becomes a better policy and a better critic.
 * @module
 */
import { type MetricRow, writeMetrics } from "@/lib/contracts/metrics.ts";
import { hasTokenizer, tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { writeSamples } from "@/lib/contracts/samples.ts";
import { readScored } from "@/lib/contracts/scored.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { checkRows } from "./check_rows.ts";
import { readDemonstrations } from "./demonstrations.ts";
import { betaOf, klWeightOf } from "./kl_control.ts";
import { learn } from "./learn.ts";
import { ownRollouts } from "./own_logprobs.ts";
import { isCriticFree, type Params, params } from "./params.ts";
import { type RoundFigures, roundFigures } from "./round_figures.ts";
import { sampleRows } from "./samples.ts";
import { loadTrainer, saveTrainer, type TrainerOutputs } from "./trainer.ts";
import { firstRoundOf, warningsOf } from "./warnings.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "ppo-update",
  summary: "Moves the policy towards answers of higher reward, and teaches the critic what to expect.",
  params,
  inputs: {
    scored: {
      contract: "scored@1",
      description: "the round's rollouts with rewards, sampled from this policy",
    },
    policy: { contract: "model", description: "the policy", handedOver: true },
    critic: {
      contract: "model",
      description: "the critic, or a causal model that becomes one with a head of zeros; gae needs one",
      optional: true,
      handedOver: true,
    },
    state: {
      contract: "state",
      description: "the trainer after the round before; none: training begins",
      optional: true,
      handedOver: true,
    },
    tokens: {
      contract: "tokens@1",
      description: "demonstrations whose supervised loss is mixed in (demo_mix)",
      optional: true,
    },
  },
  outputs: {
    policy: { contract: "model", description: "the policy after the round", handedOver: true },
    critic: {
      contract: "model",
      description: "the critic after the round, where one is given",
      optional: true,
      handedOver: true,
    },
    state: {
      contract: "state",
      description: "moments, reward scale, controllers, counters",
      handedOver: true,
    },
    metrics: {
      contract: "metrics@1",
      description: "the round's figures; stopped = 1 where the KL stop held it back",
    },
    samples: { contract: "samples@1", description: "a few of the round's answers as text" },
    ema: {
      contract: "model",
      description: "the moving average of the policy, with ema_decay",
      optional: true,
      handedOver: true,
    },
  },
  random: true,
  role: "update",
  needs: (params) => ({
    ...(isCriticFree(params) ? {} : { critic: `advantage_estimator=${params.advantage_estimator}` }),
    ...(params.demo_mix === 0 ? {} : { tokens: `demo_mix=${params.demo_mix}` }),
  }),
  omits: ({ ema_decay }) => ema_decay === null ? { ema: "ema_decay=null" } : {},
  run,
});

async function run(context: StageContext<Params>): Promise<void> {
  configureRuntime({ threads: context.threads });
  const { params, inputs, outputs, iteration } = context;
  const paths = {
    policy: inputs.policy as string,
    critic: inputs.critic as string | undefined,
    state: inputs.state as string | undefined,
  };
  const file = inputs.scored as string, { rows: sampled, tokenizerDigest: digest } = readScored(file);
  const tokens = inputs.tokens as string | undefined;
  const demonstrations = tokens === undefined || params.demo_mix === 0
    ? undefined
    : readDemonstrations(tokens);
  checkSameTokenizer({
    scored: digest,
    policy: tokenizerDigest(paths.policy),
    ...(paths.critic === undefined ? {} : { critic: tokenizerDigest(paths.critic) }),
    ...(demonstrations ? { tokens: demonstrations.tokenizerDigest } : {}),
  });
  const trainer = loadTrainer(paths, params, context.handOver), { network } = trainer.policy;
  checkRows({ scored: { file, rows: sampled }, tokens: { file: tokens, demonstrations } }, network.model);

  const own = await ownRollouts(network, sampled, params), { rows } = own;
  const tokenizer = hasTokenizer(paths.policy) ? loadTokenizer(paths.policy) : undefined;
  const texts = tokenizer &&
    rows.map(({ responseIds }) => tokenizer.decode(responseIds, { skipSpecial: true }));
  const figures = roundFigures(rows, { texts, hasBos: loadSpecialIds(paths.policy).bosId !== null });
  const warnings = warningsOf(figures, trainer.state.firstIteration ?? firstRoundOf(figures), rows, params);
  for (const { message } of warnings) context.progress({ warning: message });

  const stopped = isStopped(figures, params);
  const { after, learned } = stopped
    ? { after: trainer, learned: {} }
    : await learn({ own, figures, demonstrations }, trainer, context);
  const metrics = {
    ...figures,
    ...(own.gap ? { logprob_gap: own.gap.meanProbability, logprob_gap_max: own.gap.maxProbability } : {}),
    ...learned,
    beta: betaOf(klWeightOf(trainer.state, params)),
    policy_updates: after.state.policyUpdates,
    critic_updates: after.state.criticUpdates,
    episodes: after.state.episodes ?? 0,
    warnings: warnings.length,
    stopped: stopped ? 1 : 0,
  };
  await saveTrainer(after, paths, outputs as TrainerOutputs, context.handOver);
  await writeMetrics(outputs.metrics!, metricRows(metrics, iteration));
  const shown = { count: params.kept_samples, warnings };
  await writeSamples(outputs.samples!, tokenizer ? sampleRows(rows, tokenizer, shown) : []);
}

/** Whether the policy has moved as far from SFT as it may: it then passes through unchanged. */
function isStopped(
  { kl_to_sft, kl_to_sft_per_token }: RoundFigures,
  { kl_stop, kl_stop_per_token }: Params,
): boolean {
  return (kl_stop !== null && kl_to_sft > kl_stop) ||
    (kl_stop_per_token !== null && kl_to_sft_per_token > kl_stop_per_token);
}

function metricRows(figures: Readonly<Record<string, number>>, step: number): MetricRow[] {
  return Object.entries(figures).map(([name, value]) => ({ step, name, value }));
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}

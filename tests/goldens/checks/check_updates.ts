/** The optimizer steps of a golden PPO iteration: losses, norms and statistics of every minibatch. @module */
import type { LoadedModel } from "@/lib/model/models/checkpoint.ts";
import { moments } from "@/lib/model/rl/moments.ts";
import { policyStatistics } from "@/lib/model/rl/policy_statistics.ts";
import { flatten, type Rows } from "@/lib/model/rl/rows.ts";
import { valueStatistics } from "@/lib/model/rl/value_statistics.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { gatherTokens, microBatches, scatterTokens, type Sequence } from "@/lib/model/train/batching.ts";
import type { HeadProgram } from "@/lib/model/train/head_program.ts";
import { Network } from "@/lib/model/train/network.ts";
import { policyProgram, valueProgram } from "@/lib/model/train/ppo_programs.ts";
import type { SrppoGolden } from "./srppo_golden.ts";
import type { Bar, Measure, Tally } from "./tally.ts";

/** Tokens of a micro-batch: fewer than a minibatch has, so that accumulation is checked too. */
const TOKEN_BUDGET = 48;

/** What the updates need; rows hold response tokens only. */
export interface UpdateInputs {
  /** settings, order of the rows, and expected results */
  readonly golden: SrppoGolden;
  /** prompts with their responses; the response tokens are the targets */
  readonly sequences: readonly Sequence[];
  /** before the updates; not changed */
  readonly policy: LoadedModel;
  /** likewise */
  readonly critic: LoadedModel;
  /** of the policy, nats */
  readonly oldLogprobs: Rows;
  /** of the critic */
  readonly oldValues: Rows;
  /** whitened */
  readonly advantages: Rows;
  /** the critic's targets */
  readonly returns: Rows;
}

/** Measure and bar of each metric of a minibatch. */
const METRICS: Readonly<Record<string, readonly [Measure, number]>> = {
  policy_loss: ["relative", 1e-3],
  value_loss: ["relative", 1e-3],
  policy_grad_norm: ["relative", 1e-3],
  value_grad_norm: ["relative", 1e-3],
  clip_fraction: ["absolute", 1e-6],
  value_clip_fraction: ["absolute", 1e-6],
  approx_kl_k1: ["absolute", 1e-4],
  approx_kl_k3: ["absolute", 1e-4],
  entropy: ["absolute", 1e-4],
  ratio_mean: ["absolute", 1e-4],
  ratio_max: ["absolute", 1e-3],
};

/** A network with its optimizer, and the per-token inputs of its loss. */
interface Learner {
  readonly network: Network;
  readonly optimizer: AdamW;
  readonly program: HeadProgram;
  /** per-token inputs by name, one row per sequence */
  readonly tokens: Readonly<Record<string, Rows>>;
}

/**
 * Runs all updates on copies of the weights and compares the metrics of each.
 * @returns the trained networks
 */
export function checkUpdates(inputs: UpdateInputs, checks: Tally): { policy: Network; critic: Network } {
  const { golden, sequences, oldLogprobs, oldValues, advantages, returns } = inputs;
  const { config } = golden, clip = { clipLow: config.clip, clipHigh: config.clip };
  const policy = learner(golden, inputs.policy, {
    program: policyProgram({ clip, temperature: config.temperature, entropyCoefficient: 0 }),
    tokens: { oldLogprob: oldLogprobs, advantage: advantages },
  });
  const critic = learner(golden, inputs.critic, {
    program: valueProgram(config.vf_clip),
    tokens: {
      offset: oldValues.map((row) => new Float32Array(row.length)),
      oldValue: oldValues,
      return: returns,
    },
  });
  const size = Math.ceil(sequences.length / config.minibatches);
  const minibatches = golden.permutations.slice(0, config.epochs).flatMap((order) =>
    Array.from({ length: config.minibatches }, (_, i) => order.slice(i * size, (i + 1) * size))
  );
  const counts: Bar = { check: "update.rows", measure: "differences", bar: 0 };
  checks.compare(counts, "updates", [minibatches.length], [golden.updates.length]);
  minibatches.forEach((rows, u) => {
    const expected = golden.updates[u];
    if (!expected) return;
    checks.compare(counts, `update ${u}`, rows, expected.rows);
    const pick = (all: Rows) => flatten(rows.map((row) => all[row]!));
    const stepped = step(policy, sequences, rows, config.lr),
      valued = step(critic, sequences, rows, config.lr);
    const logprobs = stepped.tokens.logprob!, values = valued.tokens.value!;
    const statistics = policyStatistics({
      logprobs: flatten(logprobs),
      oldLogprobs: pick(oldLogprobs),
      advantages: pick(advantages),
    }, clip);
    const old = pick(oldLogprobs), ratios = flatten(logprobs).map((l, t) => Math.exp(l - old[t]!));
    const found: Record<keyof typeof METRICS, number> = {
      policy_loss: stepped.loss,
      value_loss: valued.loss,
      policy_grad_norm: stepped.norm,
      value_grad_norm: valued.norm,
      clip_fraction: statistics.clipFraction,
      value_clip_fraction: valueStatistics(
        { values: flatten(values), oldValues: pick(oldValues), returns: pick(returns) },
        { clipRange: config.vf_clip },
      ).clipFraction,
      approx_kl_k1: statistics.approxKlK1,
      approx_kl_k3: statistics.approxKlK3,
      entropy: moments(stepped.tokens.entropy!).mean,
      ratio_mean: moments([ratios]).mean,
      ratio_max: Math.max(...ratios),
    };
    for (const [name, [measure, bar]] of Object.entries(METRICS)) {
      const wanted = expected[name as keyof typeof expected] as number;
      checks.compare({ check: `update.${name}`, measure, bar }, `update ${u}`, [found[name]!], [wanted]);
    }
    for (const [name, all] of Object.entries({ logprobs, values })) {
      const wanted = expected[name as "logprobs" | "values"];
      const bar: Bar = { check: `update.${name}`, measure: "absolute", bar: 1e-4 };
      all.forEach((row, i) => checks.compare(bar, `update ${u}, row ${rows[i]}`, row, wanted[i] ?? []));
    }
  });
  policy.network.pull();
  critic.network.pull();
  return { policy: policy.network, critic: critic.network };
}

function learner(
  { config: { optimizer } }: SrppoGolden,
  { model, parameters }: LoadedModel,
  rest: Pick<Learner, "program" | "tokens">,
): Learner {
  const network = new Network(model, parameters.clone(), { trainable: true });
  const [beta1, beta2] = optimizer.betas;
  return {
    network,
    optimizer: new AdamW(network, {
      beta1,
      beta2,
      epsilon: optimizer.eps,
      weightDecay: optimizer.weight_decay_rank_ge_2,
      maxGradNorm: optimizer.clip_norm,
    }),
    ...rest,
  };
}

/** Runs one optimizer step; returns loss, gradient norm and per-token values before it. All tokens have the same weight. */
function step(
  { network, optimizer, program, tokens }: Learner,
  sequences: readonly Sequence[],
  rows: readonly number[],
  lr: number,
): { loss: number; norm: number; tokens: Record<string, Float32Array[]> } {
  const members = rows.map((row) => sequences[row]!);
  const count = members.reduce((sum, { targets }) => sum + targets.length, 0);
  const weight = members.map(({ targets }) => new Float32Array(targets.length).fill(1 / count));
  const values: Record<string, Float32Array[]> = {};
  let loss = 0;
  for (const micro of microBatches(members, TOKEN_BUDGET)) {
    const given: Record<string, ArrayLike<number>> = {
      weight: gatherTokens(micro, weight),
      id: micro.targetIds,
    };
    for (const [name, all] of Object.entries(tokens)) {
      given[name] = gatherTokens(micro, rows.map((row) => all[row]!));
    }
    const { batch, positions } = micro;
    const result = network.run({ batch, positions, program, tokens: given, train: true });
    loss += result.loss;
    for (const [name, found] of Object.entries(result.tokens)) {
      scatterTokens(micro, members, found, values[name] ??= []);
    }
  }
  return { loss, norm: optimizer.update(lr), tokens: values };
}

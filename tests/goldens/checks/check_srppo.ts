/**
 * One iteration of Self-Rewarding PPO with the functions of the stages: log-probabilities under base, SFT model and policy,
 * rewards, advantages, the updates of policy and critic, and the final weights.
 * @module
 */
import { join } from "node:path";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import { type LoadedModel, loadModel } from "@/lib/model/models/checkpoint.ts";
import { explainedVariance } from "@/lib/model/rl/value_statistics.ts";
import { gae } from "@/lib/model/rl/gae.ts";
import { klEstimates } from "@/lib/model/rl/kl.ts";
import { moments } from "@/lib/model/rl/moments.ts";
import { ppoRewards } from "@/lib/model/rl/ppo_rewards.ts";
import type { Rows } from "@/lib/model/rl/rows.ts";
import { responseReward } from "@/lib/model/rl/srppo_reward.ts";
import { tokenRewards } from "@/lib/model/rl/token_rewards.ts";
import { NO_GUARDS } from "@/tests/support/no_guards.ts";
import { whiten } from "@/lib/model/rl/whiten.ts";
import { microBatches, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { policyProgram } from "@/lib/model/train/ppo_programs.ts";
import { SCORING_BUDGET, tokenLogprobs, tokenValues } from "@/lib/model/train/token_logprobs.ts";
import { checkUpdates } from "./check_updates.ts";
import { readSrppoGolden, type SrppoGolden } from "./srppo_golden.ts";
import { absolute, type CheckLine, type Tally, tally } from "./tally.ts";

const WEIGHTS = absolute("final weights");

/**
 * Checks a directory with golden.json, final.safetensors, and the models base, sft, policy and critic.
 * @throws {DataError} if a file cannot be read
 */
export function checkSrppo(directory: string): CheckLine[] {
  const golden = readSrppoGolden(directory), checks = tally();
  const load = (name: string) => loadModel(join(directory, name));
  const policy = load("policy"), critic = load("critic");
  const sequences = golden.prompts.map((prompt, i): Sequence => {
    const ids = Int32Array.from([...prompt, ...golden.responses[i]!]);
    return { ids, targets: targetsFrom(prompt.length, ids.length) };
  });
  const found = scoreRollouts(golden, sequences, { base: load("base"), sft: load("sft"), policy, critic });
  compareRows(checks, golden, found.rows);
  compareNumbers(checks, golden, found.numbers);
  const networks = checkUpdates({ golden, sequences, policy, critic, ...found.inputs }, checks);
  compareRows(checks, golden, {
    final_logprobs: tokenLogprobs(networks.policy, sequences),
    final_values: tokenValues(networks.critic, sequences),
  });
  compareWeights(directory, { policy: networks.policy, critic: networks.critic }, checks);
  return checks.lines();
}

/** Returns all values up to the whitened advantages, under the golden's names. */
function scoreRollouts(
  { config }: SrppoGolden,
  sequences: readonly Sequence[],
  models: Readonly<Record<"base" | "sft" | "policy" | "critic", LoadedModel>>,
) {
  const networkOf = ({ model, parameters }: LoadedModel) => new Network(model, parameters);
  const policy = networkOf(models.policy);
  const sft = tokenLogprobs(networkOf(models.sft), sequences);
  const base = tokenLogprobs(networkOf(models.base), sequences);
  const old = tokenLogprobs(policy, sequences);
  const values = tokenValues(networkOf(models.critic), sequences);
  const ratios = sft.map((target, i) => {
    const inputs = { target, base: base[i]!, baseline: base[i]!, isEos: new Uint8Array(target.length) };
    return tokenRewards(inputs, NO_GUARDS);
  });
  const reward = ratios.map((row) => responseReward(row));
  const kl = old.map((row, i) => klEstimates("k1", row, sft[i]!));
  const rewards = kl.map((row, i) => ppoRewards(row, { beta: config.beta, reward: reward[i]! }));
  const estimates = rewards.map((row, i) =>
    gae({ rewards: row, values: values[i]!, gamma: config.gamma, lambda: config.lam })
  );
  const advantages = estimates.map((estimate) => estimate.advantages);
  const returns = estimates.map((estimate) => estimate.returns);
  const whitened = whiten(advantages, { epsilon: config.whiten_eps });
  const { mean, variance } = moments(advantages);
  return {
    rows: {
      sft_logprobs: sft,
      base_logprobs: base,
      token_log_ratio: ratios,
      reward: [reward],
      old_logprobs: old,
      kl_k1: kl,
      rewards,
      values,
      advantages,
      returns,
      whitened_advantages: whitened,
    },
    numbers: {
      kl_mean: moments(kl).mean,
      advantages_mean: mean,
      advantages_var: variance,
      entropy_before: meanEntropy(policy, sequences, config.temperature),
      explained_variance_before: explainedVariance(values, returns) ?? NaN,
    },
    inputs: { oldLogprobs: old, oldValues: values, advantages: whitened, returns },
  };
}

/** Returns the mean entropy of the next token over all targets, nats. */
function meanEntropy(network: Network, sequences: readonly Sequence[], temperature: number): number {
  const program = policyProgram({
    clip: { clipLow: 0.2, clipHigh: 0.2 },
    temperature,
    entropyCoefficient: 0,
  });
  const rows = microBatches(sequences, SCORING_BUDGET).map(({ batch, positions, targetIds }) => {
    const zeros = new Float32Array(targetIds.length);
    const tokens = { id: targetIds, oldLogprob: zeros, advantage: zeros, weight: zeros };
    return network.run({ batch, positions, program, tokens }).tokens.entropy!;
  });
  return moments(rows).mean;
}

function compareRows(checks: Tally, golden: SrppoGolden, found: Readonly<Record<string, Rows>>): void {
  for (const [name, rows] of Object.entries(found)) {
    const value = golden[name as keyof SrppoGolden] as number[] | number[][];
    const expected = (typeof value[0] === "number" ? [value] : value) as number[][];
    checks.compare(absolute(name), "rows", [rows.length], [expected.length]);
    expected.forEach((row, i) => checks.compare(absolute(name), `row ${i}`, rows[i] ?? [], row));
  }
}

function compareNumbers(checks: Tally, golden: SrppoGolden, found: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(found)) {
    checks.compare(absolute(name), name, [value], [golden[name as keyof SrppoGolden] as number]);
  }
}

/** Compares every tensor of final.safetensors; skip.<name> lists positions that depend on rounding. */
function compareWeights(
  directory: string,
  networks: Readonly<Record<string, Network>>,
  checks: Tally,
): void {
  using file = openSafetensors(join(directory, "final.safetensors"));
  for (const [part, { parameters }] of Object.entries(networks)) {
    for (const { name } of parameters.specs) {
      const full = `${part}.${name}`, skip = `skip.${full}`;
      if (!file.has(full)) {
        checks.fail(WEIGHTS, `the golden has no ${full}`);
        continue;
      }
      const positions = file.has(skip) ? new Set(file.read(skip).data as Int32Array) : undefined;
      checks.compare(WEIGHTS, full, parameters.view(name), file.readFloat32(full), positions);
    }
  }
  for (const full of file.names.filter((name) => !name.startsWith("skip."))) {
    const [part = "", ...rest] = full.split(".");
    const known = networks[part]?.parameters.specs.some(({ name }) => name === rest.join("."));
    if (!known) checks.fail(WEIGHTS, `no model has ${full}`);
  }
}

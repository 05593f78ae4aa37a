/** The stage on files with relative_beta and relative_kl_stop. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { readTrainerState } from "@/lib/data/contracts/trainer_state.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { CRITIC, scoredRollouts, SFT, update } from "@/tests/support/ppo_iterations.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const START = { policy: SFT, critic: CRITIC };
const ROWS = scoredRollouts(SFT);
const weights = (directory: string) => loadModel(directory).parameters.data;

Deno.test("with a relative beta, doubled rewards change nothing; the state keeps its units, and the relative KL stops", async () => {
  using directory = new TemporaryDirectory();
  const doubled = ROWS.map((row) => ({
    ...row,
    tokenRewards: row.tokenRewards.map((r) => 2 * r),
    rawReward: 2 * row.rawReward,
    reward: 2 * row.reward,
  }));
  const params = { beta: null, relative_beta: 1.5, lr: 1e-2 }; // far enough for a KL above 0
  const plain = await update(directory, START, ROWS, { params });
  const twice = await update(directory, START, doubled, { params });
  assertEquals(weights(twice.policy), weights(plain.policy)); // factors of 2 are exact
  assertEquals(twice.metrics.beta, 2 * plain.metrics.beta!);
  const { reward_std, response_entropy } = plain.metrics;
  assertAlmostEquals(plain.metrics.beta!, 1.5 * reward_std! / Math.sqrt(response_entropy!), 1e-9);
  const { beta_unit, response_entropy: kept } = readTrainerState(plain.state).firstIteration!;
  assertEquals([1.5 * beta_unit!, kept], [plain.metrics.beta, response_entropy]);

  const { policy, critic, state } = plain, rows = scoredRollouts(policy, 1);
  const next = (relative_kl_stop: number) =>
    update(directory, { policy, critic, state }, rows, { params: { ...params, relative_kl_stop } });
  const after = await next(1000), kl = after.metrics.relative_kl!;
  assertEquals([after.metrics.beta, after.metrics.stopped], [plain.metrics.beta, 0]);
  assertAlmostEquals(kl, after.metrics.kl_to_sft! / response_entropy!, 1e-12);
  assertEquals([(await next(kl * 1.01)).metrics.stopped, (await next(kl * 0.99)).metrics.stopped], [0, 1]);
});

/**
 * Runs the models on held-out demonstrations: samples responses of the SFT model to their prompts and scores both. In: what members
 * have not seen. Out: statistics.
 * @module
 */
import { permutation } from "@/lib/compute/random/shuffle.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { asRollouts, type HeldOut, type Preference, preferenceOf, promptsOf } from "./held_out.ts";
import { measureReward, type RewardSetup, sampleFrom } from "./measure.ts";

/**
 * Compares at most `calibration_prompts` of the demonstrations with `preflight_samples` responses of the SFT model each. Undefined
 * without a demonstration whose response has at most `max_new_tokens`, as longer ones could not be sampled.
 */
export async function measurePreference(
  setup: RewardSetup,
  demonstrations: readonly HeldOut[],
): Promise<Preference | undefined> {
  const { params, seed, sft, eosIds, message, manifest } = setup;
  const fitting = demonstrations.filter(({ responseIds }) => responseIds.length <= params.max_new_tokens);
  if (fitting.length === 0) return undefined;
  const drawn = permutation(fitting.length, makeKey(seed, "demonstrations"))
    .slice(0, params.calibration_prompts).sort();
  const some = Array.from(drawn, (i) => fitting[i]!), samplesPerPrompt = params.preflight_samples;
  message(
    `held-out demonstrations: sampling ${some.length} × ${samplesPerPrompt} responses to their prompts from sft`,
  );
  const rows = await sampleFrom(setup, sft, {
    name: "demonstrations",
    prompts: promptsOf(some),
    samplesPerPrompt,
  });
  // A soup has seen all demonstrations: the models that it averages are the members here.
  const scorable = async (rows: Parameters<typeof measureReward>[1]) => {
    const { logprobs, perModel } = await measureReward(setup, rows);
    return { rows, logprobs: { ...logprobs, members: perModel } };
  };
  const demos = await scorable(asRollouts(some, eosIds));
  return preferenceOf(some, { demos, samples: await scorable(rows), rule: manifest });
}

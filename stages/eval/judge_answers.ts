/**
 * What is measured of answers: by the checker, by counting, and by the log-probabilities of frozen models. All answers
 * of all models go through each frozen model together.
 * @module
 */
import { join } from "node:path";
import type { DecodingMode } from "@/lib/contracts/evals.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import { jsonObjectIn } from "@/lib/files/strict_json.ts";
import { frozenNetwork } from "@/lib/reward/frozen_networks.ts";
import { baseNll, responseSequence } from "@/lib/reward/reward_model.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { tokenLogprobs } from "@/lib/train/token_logprobs.ts";
import type { JudgedAnswer } from "./judged_answer.ts";
import type { Evaluation } from "./read_inputs.ts";

/** Answers that go through the frozen models in one go; between goes a stop is heard. */
const ROWS_PER_GO = 4096;

/** An answer and whose it is. */
export interface Answer {
  readonly model: string;
  readonly mode: DecodingMode;
  readonly row: RolloutRow;
}

/** What answers are measured with; what is undefined is not measured. */
export interface Judges
  extends Pick<Evaluation, "tokenizer" | "checker" | "reward" | "sft" | "base" | "promptsPath"> {
  /** ids that end an answer under any of the models */
  readonly eosIds: readonly number[];
  /** awaited between goes; may throw to stop */
  readonly pause: () => Promise<void>;
}

/**
 * Judges answers, in their order.
 * @throws {DataError} if the checker cannot judge a prompt, or gives a figure under a name that is taken
 */
export async function judgeAnswers(answers: readonly Answer[], judges: Judges): Promise<JudgedAnswer[]> {
  const judged: JudgedAnswer[] = [];
  for (let start = 0; start < answers.length; start += ROWS_PER_GO) {
    const group = answers.slice(start, start + ROWS_PER_GO);
    const rows = group.map(({ row }) => row);
    const { figures, fluency } = modelFigures(rows, judges);
    group.forEach((answer, i) => {
      const { row } = answer;
      const response = judges.tokenizer.decode(row.responseIds, { skipSpecial: true });
      const counted = {
        eos_rate: row.finishReason === "eos" ? 1 : 0,
        response_length: row.responseIds.length,
        ...figures[i],
      };
      const checked =
        judges.checker?.({ meta: metaOf(row, judges), response, ended: row.finishReason !== "length" }) ?? {};
      const taken = Object.keys(checked).filter((name) => RESERVED.has(name));
      if (taken.length > 0) {
        throw new DataError(
          `Cannot use what the checker gives as its figures must have names of their own: ${
            taken.join(", ")
          } ${taken.length === 1 ? "is" : "are"} measured already`,
        );
      }
      judged.push({ ...answer, response, figures: { ...checked, ...counted }, fluency: fluency[i] });
    });
    await judges.pause();
  }
  return judged;
}

const RESERVED = new Set([
  "eos_rate",
  "response_length",
  "kl_to_sft",
  "reward",
  "base_nll",
  "distinct_2",
  "validation_nll",
]);

/** What frozen models say of answers, one element per row. */
interface ModelFigures {
  readonly figures: readonly { readonly kl_to_sft?: number; readonly reward?: number }[];
  readonly fluency: readonly JudgedAnswer["fluency"][];
}

/**
 * KL: Σ log π − log π_sft over the answer, log π being what the model itself gave when it answered, at temperature 1.
 * Reward: raw, the sum of what its tokens earn. Fluency: see `baseNll()`.
 */
function modelFigures(rows: readonly RolloutRow[], judges: Judges): ModelFigures {
  const { reward, sft, base, eosIds, tokenizer: { bosId } } = judges;
  let sftLogprobs: readonly Float32Array[] | undefined, rewards: readonly number[] | undefined;
  let fluency: JudgedAnswer["fluency"][] = rows.map(() => undefined);
  if (reward) {
    // Without an SFT model the first member stands in: it is scored anyway, and KL is left out below.
    const [member] = reward.manifest.members;
    const reference = sft ?? { path: join(reward.directory, member!.path), digest: member!.digest };
    const scored = reward.score(rows, reference, bosId);
    rewards = scored.map(({ rawReward }) => rawReward);
    sftLogprobs = scored.map((row) => row.sftLogprobs);
    const ends = new Set(reward.manifest.eosIds);
    fluency = scored.map(({ baseNll: mean, responseIds }) => {
      const body = responseIds.reduce((count, id) => count + (ends.has(id) ? 0 : 1), 0);
      return mean === null ? undefined : { mean, tokens: bosId === null ? body - 1 : body };
    });
  } else if (sft) {
    sftLogprobs = tokenLogprobs(frozenNetwork(sft.path, sft.digest), rows.map(responseSequence));
  }
  if (base && base.digest !== reward?.manifest.base.digest) {
    const ends = reward?.manifest.eosIds ?? eosIds;
    fluency = baseNll(frozenNetwork(base.path, base.digest), rows, { bosId, eosIds: ends })
      .map(({ mean, tokens }) => mean === null ? undefined : { mean, tokens });
  }
  const figures = rows.map((row, i) => ({
    ...(sft ? { kl_to_sft: sumOf(row.logprobsT1 ?? row.logprobs) - sumOf(sftLogprobs![i]!) } : {}),
    ...(rewards ? { reward: rewards[i]! } : {}),
  }));
  return { figures, fluency };
}

function sumOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function metaOf({ promptId, meta }: RolloutRow, { promptsPath }: Judges): Readonly<Record<string, unknown>> {
  const value = jsonObjectIn(meta);
  if (value) return value;
  throw new DataError(
    `Cannot check an answer to "${promptId}" of ${promptsPath} as its meta must be a JSON object: it is ${
      JSON.stringify(meta.slice(0, 80))
    }`,
    { file: promptsPath, column: "meta" },
  );
}

/** Reads and checks the training data before training: demonstrations, or pairs with their reference model. @module */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readPairs } from "@/lib/data/contracts/pairs.ts";
import { checkSameTokenizer } from "@/lib/data/contracts/same_tokenizer.ts";
import { readTokens, type TokenRow } from "@/lib/data/contracts/tokens.ts";
import type { Model } from "@/lib/model/models/model.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { checkFits } from "@/lib/model/train/fit_model.ts";
import { demonstrationObjective, type Objective, supervisedSequences } from "./objective.ts";
import { packed } from "./pack.ts";
import { pairObjective, pairSequences } from "./pair_objective.ts";
import type { Params } from "./params.ts";
import type { Context } from "./ports.ts";
import { subsampled } from "./train.ts";

/** The data, and the model that is trained on them. */
interface DataSource extends Pick<Context, "inputs" | "params" | "seed"> {
  readonly model: Model;
}

/**
 * Checks that the objective has the inputs that it needs and no others.
 * @throws {UsageError} listing missing inputs, unused inputs, and parameters that apply to demonstrations only
 */
export function checkObjective(inputs: Context["inputs"], { objective, loss, pack, lr }: Params): void {
  const isPairs = objective !== "nll";
  const needed = isPairs ? ["pairs"] as const : ["tokens"] as const;
  const unused = isPairs ? ["tokens"] as const : ["pairs", "reference"] as const;
  const problems = [
    ...needed.filter((port) => inputs[port] === undefined).map((port) => `input ${port} is missing`),
    ...unused.filter((port) => inputs[port] !== undefined).map((port) => `input ${port} must not be given`),
    ...(isPairs && loss !== "response" ? [`loss must be response, got ${loss}`] : []),
    ...(isPairs && lr === "auto" && inputs.lr_of === undefined
      ? ["lr must be a number without the input lr_of, got auto: its trials compare losses of nll"]
      : []),
    ...(isPairs && pack ? ["pack must be false, got true"] : []),
  ];
  if (problems.length === 0) return;
  throw new UsageError(`Invalid inputs and parameters for objective=${objective}: ${problems.join("; ")}`);
}

/**
 * Returns the objective that is trained on.
 * @throws {DataError} if rows do not fit the model, no token is supervised, or tokenizers differ
 */
export function readObjective({ inputs, params, model, seed }: DataSource): Objective {
  if (params.objective === "nll") {
    const rows = subsampled(readRows("tokens", { inputs, params, model }), seed, params.subsample);
    return demonstrationObjective(supervisedSequences(rows, params.loss, "tokens"), params);
  }
  const file = inputs.pairs!, reference = inputs.reference ?? inputs.model;
  const { rows, tokenizerDigest: digest } = readPairs(file);
  checkSameTokenizer({
    pairs: digest,
    model: tokenizerDigest(inputs.model),
    reference: tokenizerDigest(reference),
  });
  const network = frozenNetwork(reference);
  const named = pairSequences(rows).map(({ ids }, i) => ({
    id: `pair ${i >> 1}, ${i % 2 === 0 ? "chosen" : "rejected"}`,
    ids,
  }));
  for (const reader of [model, network.model]) {
    checkFits(named, reader, { file, column: "prompt_ids" });
  }
  return pairObjective(subsampled(rows, seed, params.subsample), network, params);
}

/**
 * Returns the rows of a `tokens@1` input, packed if `pack` is set.
 * @throws {DataError} if they do not fit the model or have another tokenizer
 */
export function readRows(
  port: "tokens" | "validation",
  { inputs, params, model }: Omit<DataSource, "seed">,
): readonly TokenRow[] {
  const file = inputs[port]!, { rows: stored, tokenizerDigest: digest } = readTokens(file);
  const rows = params.pack ? packed(stored, params.pack_length || model.contextLength) : stored;
  checkSameTokenizer({ [port]: digest, model: tokenizerDigest(inputs.model) });
  checkFits(rows.map(({ id, inputIds: ids }) => ({ id, ids })), model, {
    file,
    column: "input_ids",
  });
  return rows;
}

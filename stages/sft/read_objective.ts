/** What the stage trains on, read and checked before training: demonstrations, or pairs with their reference. @module */
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { readPairs } from "@/lib/contracts/pairs.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import type { InputPaths } from "@/lib/contracts/stage.ts";
import { readTokens, type TokenRow } from "@/lib/contracts/tokens.ts";
import type { Model } from "@/lib/models/model.ts";
import { frozenNetwork } from "@/lib/reward/frozen_networks.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
import { checkFits } from "@/lib/train/fit_model.ts";
import type { Objective } from "./objective.ts";
import { packed } from "./pack.ts";
import { pairObjective, pairSequences } from "./pair_objective.ts";
import type { Params } from "./params.ts";
import { demonstrationObjective, subsampled, supervisedSequences } from "./train.ts";

/** Where the rows come from, and who reads them. */
export interface Reading {
  readonly inputs: InputPaths;
  readonly params: Params;
  readonly model: Model;
  readonly seed: number;
}

/**
 * Checks that the objective has the inputs that it needs and no others.
 * @throws {UsageError} listing what is missing, what nothing would read, and parameters that go with demonstrations alone
 */
export function checkObjective(inputs: InputPaths, { objective, loss, pack }: Params): void {
  const isPairs = objective !== "nll";
  const needed = isPairs ? ["pairs"] : ["tokens"], foreign = isPairs ? ["tokens"] : ["pairs", "reference"];
  const problems = [
    ...needed.filter((port) => inputs[port] === undefined).map((port) => `${port} is missing`),
    ...foreign.filter((port) => inputs[port] !== undefined).map((port) => `${port} is given`),
    ...(isPairs && loss !== "response" ? [`loss is ${loss}`] : []),
    ...(isPairs && pack ? ["pack is true"] : []),
  ];
  if (problems.length === 0) return;
  const rule = isPairs
    ? "it learns from the answers of pairs, held to a reference"
    : "it learns from tokens, without a reference";
  throw new UsageError(`Cannot train by objective ${objective} as ${rule}: ${problems.join("; ")}`);
}

/**
 * The loss that is trained on.
 * @throws {DataError} if rows do not fit the model, nothing is supervised, or tokenizers differ
 */
export function readObjective({ inputs, params, model, seed }: Reading): Objective {
  if (params.objective === "nll") {
    const rows = subsampled(readRows("tokens", { inputs, params, model }), seed, params.subsample);
    return demonstrationObjective(supervisedSequences(rows, params.loss, "train"), params);
  }
  const file = inputs.pairs as string, source = inputs.model as string;
  const reference = inputs.reference as string | undefined ?? source;
  const { rows, tokenizerDigest: digest } = readPairs(file);
  checkSameTokenizer({
    pairs: digest,
    model: tokenizerDigest(source),
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
 * Rows of `tokens@1`, packed where that is asked for.
 * @throws {DataError} if they do not fit the model or are of another tokenizer
 */
export function readRows(
  port: "tokens" | "validation",
  { inputs, params, model }: Omit<Reading, "seed">,
): readonly TokenRow[] {
  const file = inputs[port] as string, { rows: stored, tokenizerDigest: digest } = readTokens(file);
  const rows = params.pack ? packed(stored, params.pack_length || model.contextLength) : stored;
  checkSameTokenizer({ [port]: digest, model: tokenizerDigest(inputs.model as string) });
  checkFits(rows.map(({ id, inputIds: ids }) => ({ id, ids })), model, {
    file,
    column: "input_ids",
  });
  return rows;
}

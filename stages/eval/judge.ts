/**
 * Computes how likely a judge finds the text of responses. A judge is any language model; it has its own tokenizer, so the
 * responses reach it as text.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { stoppable } from "@/lib/data/contracts/stop.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { baseNll, type ModelSource } from "@/lib/model/reward/reward_model.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";

/** A language model that reads the responses as text. */
export interface FluencyJudge extends Required<ModelSource> {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
}

/** Mean nats per token of a response and the number of tokens. */
export interface Nll {
  readonly mean: number;
  readonly tokens: number;
}

/**
 * Returns the NLL of each text alone under the judge, after its BOS if it has one, without prompt and EOS, per token of the judge;
 * undefined where no token is left. White space at both ends is removed, since only prompts explain it.
 * @param onPiece called after every micro-batch; may throw to stop
 * @throws {DataError} if a text exceeds the judge's context
 */
export async function judgeNll(
  { path, digest, tokenizer, contextLength }: FluencyJudge,
  texts: readonly string[],
  onPiece: () => void,
): Promise<(Nll | undefined)[]> {
  const encoded = await tokenizer.encodeAll(texts.map((text) => text.trim()), { special: false });
  const longest = encoded.reduce((most, ids) => Math.max(most, ids.length), 0) + 1;
  if (longest > contextLength) {
    throw new DataError(
      `Responses must fit the context of the judge, ${contextLength} tokens, got one with ${longest}`,
      { file: path },
    );
  }
  const rows = encoded.map((responseIds) => ({ responseIds: Int32Array.from(responseIds) }));
  const options = { bosId: tokenizer.bosId, eosIds: tokenizer.eosIds };
  const found = await runYielding(stoppable(baseNll(frozenNetwork(path, digest), rows, options), onPiece));
  return found.map(({ mean, tokens }) => mean === null ? undefined : { mean, tokens });
}

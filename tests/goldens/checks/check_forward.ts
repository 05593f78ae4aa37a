/** A family's logits and log-probabilities: the padded batch, its rows alone, and the scoring path. @module */
import { type LoadedModel, loadModel } from "@/lib/model/models/checkpoint.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogits } from "@/tests/support/token_logits.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import type { FamilyGolden } from "./family_golden.ts";
import { absolute, type Bar, type Tally } from "./tally.ts";

const LOGITS = absolute("logits");
const ALONE = absolute("logits of rows alone");
const LOGPROBS = absolute("log-probabilities");

/** Compares all values of the forward pass. @param directory for the rows that need a newly loaded model */
export function checkForward(
  golden: FamilyGolden,
  { model, parameters }: LoadedModel,
  directory: string,
  tally: Tally,
): void {
  const network = new Network(model, parameters), { batch } = golden, width = model.vocabSize;
  const expected = golden.floats("logits");
  compareLogits(LOGITS, golden, network, expected, tally);
  batch.lengths.forEach((n, b) => {
    const from = b * batch.length, wanted = expected.subarray(from * width, (from + n) * width);
    const row = { ids: batch.ids.subarray(from, from + n), rows: 1, length: n };
    tally.compare(ALONE, `row ${b}`, tokenLogits(network, row, upTo(n)), wanted);
  });
  checkScoring(golden, network, tally);
  for (const name of golden.names) {
    const n = Number(/^alone\.(\d+)\.input_ids$/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(n)) continue;
    const fresh = loadModel(directory);
    const row = { ids: golden.ints(name), rows: 1, length: n };
    const logits = tokenLogits(new Network(fresh.model, fresh.parameters), row, upTo(n));
    tally.compare(ALONE, `alone.${n}`, logits, golden.floats(`alone.${n}.logits`));
  }
}

/** Compares the logits of every row of the padded batch, without padding. */
export function compareLogits(
  bar: Bar,
  { batch }: FamilyGolden,
  network: Network,
  expected: Float32Array,
  tally: Tally,
): void {
  const width = network.model.vocabSize;
  const positions = batch.lengths.map((n, b) => Array.from({ length: n }, (_, t) => b * batch.length + t));
  const found = tokenLogits(network, batch, Int32Array.from(positions.flat()));
  let at = 0;
  batch.lengths.forEach((n, b) => {
    const from = b * batch.length, wanted = expected.subarray(from * width, (from + n) * width);
    tally.compare(bar, `row ${b}`, found.subarray(at * width, (at += n) * width), wanted);
  });
}

function checkScoring(golden: FamilyGolden, network: Network, tally: Tally): void {
  const { batch } = golden, expected = golden.floats("token_logprobs");
  tokenLogprobs(network, batch.scored).forEach((logprobs, b) => {
    const from = b * batch.length + 1;
    tally.compare(LOGPROBS, `row ${b}`, logprobs, expected.subarray(from, from + batch.lengths[b]! - 1));
  });
}

function upTo(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, t) => t);
}

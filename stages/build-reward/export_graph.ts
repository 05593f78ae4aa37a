/**
 * Exports a reward as one ONNX file with its weights: token ids in, token rewards out. It computes the token rewards of `score`
 * for any number of right-padded rows of any length within the context.
 * @module
 */
import { join } from "node:path";
import {
  add,
  clip,
  div,
  gatherRows,
  greaterEqual,
  lower,
  maximum,
  minimum,
  mul,
  sqrt,
  square,
  sub,
  tokenLogprob,
  Trace,
  type Value,
} from "@/lib/compute/autodiff/mod.ts";
import type { RewardManifest, StoredModel } from "@/lib/data/contracts/reward_directory.ts";
import { writeWholeFile } from "@/lib/data/files/whole_file.ts";
import { parametersOf } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import type { Initializer, OnnxGraph } from "@/lib/compute/onnx/graph.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import type { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { hostTensor, type Shape } from "@/lib/compute/tensor/tensor.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { tokenAttention, type TracedRopeTables } from "./token_attention.ts";
import { flatPositions, flatTokens, isAmong, nextTokens, ofOwnTokens } from "./token_shapes.ts";

/** Largest protobuf message. */
const MOST_BYTES = 2 ** 31 - 1;
/** Sizes of the example batch that is traced; the graph depends on neither. */
const ROWS = 2, LENGTH = 3;

/**
 * Returns the graph of a reward: input_ids i64[B,T] → token_rewards f32[B,T]. Element t is the reward of token t given the tokens
 * before it, nats; 0 for the first token of a row, which nothing predicts. Rows are right-padded with any id. Prompt and padding
 * have rewards too: the caller adds up those of the response.
 * @throws {DataError} if the weights are too large for one file
 */
function rewardGraph({ directory, manifest }: RewardModel): OnnxGraph {
  const { members, base, baseline = base, combine, eosIds } = manifest;
  const networks = new Map<string, Network>();
  for (const { path, digest } of [base, baseline, ...members]) {
    networks.set(path, frozenNetwork(join(directory, path), digest));
  }
  // Adapters share a backbone, which is often the base: the graph contains it once.
  const owners = new Map<ParameterVector, string>();
  for (const [path, { parameters }] of networks) {
    for (const vector of [parameters, parameters.backbone]) {
      if (vector && !owners.has(vector)) owners.set(vector, path);
    }
  }
  const bytes = [...owners.keys()].reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > MOST_BYTES * 0.99) {
    throw new DataError(
      `reward.onnx must be smaller than 2 GiB: the weights of ${directory} have ${
        (bytes / 2 ** 30).toFixed(1)
      } GiB`,
      { file: directory },
    );
  }
  const trace = new Trace(), initializers: Initializer[] = [], weights = new Map<string, Value>();
  const weightOf = (name: string, shape: Shape, data: Float32Array<ArrayBuffer>): Value => {
    let value = weights.get(name);
    if (!value) {
      weights.set(name, value = trace.input(name, "f32", shape));
      initializers.push({ name, tensor: hostTensor("f32", shape, data) });
    }
    return value;
  };
  const ids = trace.input("input_ids", "i64", [ROWS, LENGTH]), next = nextTokens(ids);
  const known = new Map<string, Value>(), tables: TracedRopeTables = new Map();
  const logprobs = ({ path }: StoredModel): Value => {
    const found = known.get(path);
    if (found) return found;
    const network = networks.get(path)!, values = new Map<string, Value>();
    const { parameters } = network;
    for (const { name, shape } of parametersOf(network.model)) {
      const owner = owners.get(parameters.has(name) ? parameters : parameters.backbone!)!;
      values.set(name, weightOf(`${owner}/${name}`, shape, parameters.view(name)));
    }
    const { selected } = tokenLogprob(logits(network, values, ids, tables), next);
    known.set(path, selected);
    return selected;
  };
  const target = combineTraced(members.map(logprobs), combine);
  const ends = eosIds.length === 0 ? undefined : isAmong(next, eosIds);
  const rewards = guardTraced({ target, base: logprobs(base), baseline: logprobs(baseline), ends }, manifest);
  const graph = lower({
    name: "reward",
    inputs: [ids],
    weights: [...weights.values()],
    outputs: { token_rewards: ofOwnTokens(rewards, ids) },
    symbolic: { input_ids: ["B", "T"], token_rewards: ["B", "T"] },
  });
  return { ...graph, initializers: [...graph.initializers, ...initializers], externals: [] };
}

/** Writes the graph of a reward. @throws {DataError} if its weights are too large for one file */
export function writeRewardGraph(path: string, reward: RewardModel): void {
  writeWholeFile(path, [encodeModel(rewardGraph(reward))]);
}

/** Returns the logits [B·T,V] of the tokens after ids[B,T]. */
function logits(
  { model }: Network,
  values: ReadonlyMap<string, Value>,
  ids: Value,
  tables: TracedRopeTables,
): Value {
  const part = (specs: Readonly<Record<string, { readonly name: string }>>) =>
    Object.fromEntries(Object.entries(specs).map(([local, { name }]) => [local, values.get(name)!]));
  const context = tokenAttention(ids, model.contextLength, tables);
  let x: Value | undefined;
  for (const { parameter, index, factor } of model.embeddings) {
    const rows = gatherRows(
      values.get(parameter.name)!,
      index === "token" ? flatTokens(ids) : flatPositions(ids),
    );
    const scaled = factor === 1 ? rows : mul(rows, factor);
    x = x ? add(x, scaled) : scaled;
  }
  for (const block of model.blocks) x = model.applyBlock(block, part(block.parameters), x!, context);
  const head = part(model.head);
  return model.project(head, model.normalise(head, x!));
}

/** Does `combineMembers()` on values; a soup is one member. */
function combineTraced(members: readonly Value[], combine: RewardManifest["combine"]): Value {
  if (combine === "min") return members.reduce((a, b) => minimum(a, b));
  const mean = div(members.reduce((a, b) => add(a, b)), members.length);
  if (combine !== "lcb") return mean;
  const squares = members.map((member) => square(sub(member, mean))).reduce((a, b) => add(a, b));
  return sub(mean, sqrt(div(squares, members.length - 1)));
}

/** Log-probabilities, and 1 at EOS tokens. */
interface Traced {
  readonly target: Value;
  readonly base: Value;
  readonly baseline: Value;
  readonly ends: Value | undefined;
}

/** Does `tokenRewards()` on values. */
function guardTraced(
  { target, base, baseline, ends }: Traced,
  { floor, floorPenalties, floorBoth, tokenCap, eosBound, baseWeight = 1 }: RewardManifest,
): Value {
  const ratio = sub(target, baseline);
  const bounded = (bound: number | null | undefined) => bound == null ? ratio : clip(ratio, -bound, bound);
  // 1 where x is above the bound: 1 − (bound ≥ x).
  const above = (x: Value, bound: number) => sub(1, greaterEqual(x.trace.scalar(bound, "f32"), x));
  let rewards = bounded(tokenCap);
  if (floor !== null) {
    const counts = above(base, floor);
    const kept = mul(rewards, counts);
    rewards = floorPenalties === "keep"
      ? add(kept, mul(minimum(rewards, mul(rewards, 0)), sub(1, counts)))
      : kept;
  }
  if (floorBoth !== undefined) rewards = mul(rewards, above(maximum(base, target), floorBoth));
  if (ends) rewards = add(mul(rewards, sub(1, ends)), mul(bounded(eosBound ?? tokenCap), ends));
  return baseWeight === 1 ? rewards : add(mul(rewards, baseWeight), mul(target, 1 - baseWeight));
}

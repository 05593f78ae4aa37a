/** Demonstrations beside the rollouts, and the average of the policy's weights. @module */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import {
  bytesOf,
  CRITIC,
  DIGEST,
  type Iteration,
  scoredRollouts,
  SFT,
  update,
} from "@/tests/support/ppo_iterations.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { DemonstrationStream, readDemonstrationTokens } from "./demonstrations.ts";

const START = { policy: SFT, critic: CRITIC };
const ROWS = scoredRollouts(SFT);
const weights = (directory: string) => loadModel(directory).parameters.data;
const next = ({ policy, critic, state }: Iteration) => ({ policy, critic, state });

/** Six demonstrations: after any two tokens comes the same end of five. */
async function demonstrations(directory: TemporaryDirectory): Promise<string> {
  const path = directory.file("tokens.arrow");
  const rows = Array.from({ length: 6 }, (_, i) => ({
    id: `d${i}`,
    inputIds: Int32Array.of(1, 10 + i, 20, 21, 22, 23, 2),
    lossMask: Uint8Array.of(0, 0, 1, 1, 1, 1, 1),
    source: "test",
  }));
  await writeTokens(path, { rows, tokenizerDigest: DIGEST });
  return path;
}

function nll(model: string, path: string): number {
  const { model: of, parameters } = loadModel(model);
  const all = tokenLogprobs(new Network(of, parameters), readDemonstrationTokens(path).sequences).flatMap((
    x,
  ) => [...x]);
  return -all.reduce((a, b) => a + b, 0) / all.length;
}

Deno.test("demonstrations that are mixed in become more likely than without them, and their loss is a metric", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await demonstrations(directory), params = { epochs: 4 };
  const without = await update(directory, START, ROWS, { params });
  const mixed = await update(directory, { ...START, tokens }, ROWS, { params: { ...params, demo_mix: 1 } });
  assert(nll(mixed.policy, tokens) < nll(without.policy, tokens) - 0.1);
  assert(mixed.metrics.demo_loss! < nll(SFT, tokens) && mixed.metrics.demo_loss! > nll(mixed.policy, tokens));
  assertEquals("demo_loss" in without.metrics, false);
  assertEquals(bytesOf(mixed)[1], bytesOf(without)[1], "the critic has no part in it");
});

Deno.test("demo_mix=0 does not read the demonstrations; above 0 they must be given, fit, and have the same tokenizer", async () => {
  using directory = new TemporaryDirectory();
  const tokens = directory.write("tokens.arrow", "no Arrow");
  const unread = await update(directory, { ...START, tokens }, ROWS);
  assertEquals(bytesOf(unread), bytesOf(await update(directory, START, ROWS)));
  await assertRejects(
    () => update(directory, START, ROWS, { params: { demo_mix: 0.5 } }),
    UsageError,
    "Missing inputs of ppo-update: demo_mix=0.5 requires tokens",
  );
  const write = (inputIds: Int32Array, mask: readonly number[], tokenizerDigest = DIGEST) =>
    writeTokens(tokens, {
      rows: [{ id: "d", inputIds, lossMask: Uint8Array.from(mask), source: "test" }],
      tokenizerDigest,
    });
  const run = () => update(directory, { ...START, tokens }, ROWS, { params: { demo_mix: 0.5 } });
  await write(Int32Array.of(1, 2), [1, 0]);
  await assertRejects(
    run,
    DataError,
    `${tokens}: demo_mix requires at least one supervised token, got none in 1 rows`,
  );
  await write(new Int32Array(65).fill(5), new Array(65).fill(1));
  const long = await assertRejects(run, DataError);
  assert(long.message.startsWith(`${tokens}: a row must have at most `), long.message);
  await write(Int32Array.of(1, 2), [0, 1], "ab".repeat(32));
  const other = await assertRejects(run, DataError);
  assert(other.message.endsWith("abababababab (tokens)"), other.message);
});

Deno.test("the stream takes each demonstration once per epoch, in an order of its own, wherever it begins", async () => {
  using directory = new TemporaryDirectory();
  const given = readDemonstrationTokens(await demonstrations(directory));
  const stream = new DemonstrationStream(given, 3);
  const first = (index: number, of = stream) => of.at(index).ids[1]!;
  const passes = [0, 1, 2].map((pass) => Array.from({ length: 6 }, (_, i) => first(6 * pass + i)));
  for (const pass of passes) assertEquals(pass.toSorted(), [10, 11, 12, 13, 14, 15]);
  assertNotEquals(passes[0], passes[1]);
  assertEquals(first(8, new DemonstrationStream(given, 3)), passes[1]![2]);
  assertNotEquals(
    Array.from({ length: 12 }, (_, i) => first(i, new DemonstrationStream(given, 4))),
    passes.slice(0, 2).flat(),
  );
});

Deno.test("ema: each update of the policy moves the average by 1 − decay, also across iterations", async () => {
  using directory = new TemporaryDirectory();
  const params = { ema_decay: 0.75, epochs: 1, minibatch_size: 16 };
  const first = await update(directory, START, ROWS, { params });
  const rows = scoredRollouts(first.policy, 1);
  const second = await update(directory, next(first), rows, { params, iteration: 1 });
  const [w0, w1, w2] = [SFT, first.policy, second.policy].map(weights) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const e1 = weights(first.ema), e2 = weights(second.ema);
  w0.forEach((w, i) => assertAlmostEquals(e1[i]!, 0.75 * w + 0.25 * w1[i]!, 1e-6));
  e1.forEach((e, i) => assertAlmostEquals(e2[i]!, 0.75 * e + 0.25 * w2[i]!, 1e-6));
  const plain = await update(directory, START, ROWS, { params: { ...params, ema_decay: null } });
  assertEquals(bytesOf(plain).slice(0, 2), bytesOf(first).slice(0, 2), "the average changes neither network");
  assertThrows(() => Deno.statSync(plain.ema), Deno.errors.NotFound);
});

Deno.test("ema may begin in a later iteration, and be dropped again", async () => {
  using directory = new TemporaryDirectory();
  const plain = await update(directory, START, ROWS), rows = scoredRollouts(plain.policy, 1);
  const params = { ema_decay: 0.5, epochs: 1, minibatch_size: 16 };
  const late = await update(directory, next(plain), rows, { params, iteration: 1 });
  const before = weights(plain.policy), after = weights(late.policy), average = weights(late.ema);
  before.forEach((w, i) => assertAlmostEquals(average[i]!, (w + after[i]!) / 2, 1e-6));
  const dropped = await update(directory, next(late), scoredRollouts(late.policy, 2), { iteration: 2 });
  assertEquals(dropped.metrics.policy_updates, 9);
});

Deno.test("with demonstrations and an average, two iterations and two more equal four iterations (statement 60)", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await demonstrations(directory);
  const params = {
    demo_mix: 0.3,
    ema_decay: 0.9,
    reward_scaling: "running",
    kl_target: 1,
    fluency_budget: 0.01,
    kl_placement: "loss",
    epochs: 1,
  };
  const chain = async (from: Iteration | undefined, first: number, count: number) => {
    let last = from;
    for (let iteration = first; iteration < first + count; iteration++) {
      const inputs = last ? next(last) : START;
      last = await update(directory, { ...inputs, tokens }, scoredRollouts(inputs.policy, iteration), {
        params,
        iteration,
        seed: 5,
      });
    }
    return last!;
  };
  const four = await chain(undefined, 0, 4),
    two = await chain(undefined, 0, 2),
    more = await chain(two, 2, 2);
  assertEquals(bytesOf(more), bytesOf(four));
  assertEquals(weights(more.ema), weights(four.ema));
  assertEquals(more.metrics, four.metrics);
});

/** Tests exact responses: those that the training graph alone would draw, bit for bit, whatever model proposes. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { normal } from "@/lib/compute/random/normal.ts";
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { microBatches, scatterTokens, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { Network } from "@/lib/model/train/network.ts";
import { policyProgram } from "@/lib/model/train/ppo_programs.ts";
import { tokenLogits } from "@/tests/support/token_logits.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { checkExact, type ExactOptions, exactSteps } from "./exact.ts";
import type { Generated } from "./generation_options.ts";
import { Generator } from "./generator.ts";
import { draw } from "./sampler.ts";

const { model, parameters } = loadModel("fixtures/stories260k");
const network = new Network(model, parameters);

const OPTIONS: ExactOptions = {
  prompts: Array.from({ length: 24 }, (_, i) => ({
    id: `p${i}`,
    ids: Int32Array.from({ length: 1 + (i * 7) % 40 }, (_, t) => t === 0 ? 1 : 300 + (i * 31 + t * 17) % 200),
  })),
  temperature: 1,
  maxNewTokens: 24,
  eosIds: [432], // a common piece: responses end at different times
  seed: 5,
  batchSize: 16,
};

/** The policy's weights with noise: a proposer that is often wrong. */
function noisy(): Generator {
  const weights = parameters.clone(), key = makeKey(3, "noise");
  weights.data.forEach((w, i) => weights.data[i] = w * (1 + 0.1 * normal(key, i)));
  return new Generator(model, weights);
}

const policy = () => new Generator(model, parameters);

const exactly = (proposer: Pick<Generator, "steps">, options: Partial<ExactOptions> = {}): Generated[] =>
  runSync(exactSteps(proposer, network, { ...OPTIONS, ...options }));

const sequencesOf = (responses: readonly Generated[]): Sequence[] =>
  responses.map(({ responseIds }, i) => {
    const before = OPTIONS.prompts[i]!.ids, ids = Int32Array.from([...before, ...responseIds]);
    return { ids, targets: targetsFrom(before.length, ids.length) };
  });

const bitsOf = (rows: readonly Float32Array[]): string =>
  rows.map((row) => new Uint32Array(row.slice().buffer).join()).join(";");

/** Token by token, a whole pass of the training graph for each, with a softmax in f64 on the host. */
function drawnSlowly(prompt: number): number[] {
  const { id, ids } = OPTIONS.prompts[prompt]!,
    key = makeKey(OPTIONS.seed, "rollout", id),
    out: number[] = [];
  do {
    const all = Int32Array.from([...ids, ...out]);
    const logits = tokenLogits(
      network,
      { ids: all, rows: 1, length: all.length },
      Int32Array.of(all.length - 1),
    );
    const most = logits.reduce((a, b) => Math.max(a, b)),
      exps = Float64Array.from(logits, (x) => Math.exp(x - most));
    const total = exps.reduce((a, b) => a + b);
    const probabilities = Float32Array.from(exps, (x) => x / total);
    out.push(draw(probabilities, uniform(key, out.length), { temperature: 1 }).id);
  } while (!OPTIONS.eosIds.includes(out.at(-1)!) && out.length < OPTIONS.maxNewTokens);
  return out;
}

const exact = exactly(policy());

Deno.test("exact responses are those that the training graph alone draws token by token", () => {
  for (const prompt of [0, 5, 9, 17]) assertEquals([...exact[prompt]!.responseIds], drawnSlowly(prompt));
});

Deno.test("a proposer that is often wrong changes no token and no bit", () => {
  let proposals = 0;
  const proposer = noisy();
  const counted: Pick<Generator, "steps"> = { steps: (options) => (proposals++, proposer.steps(options)) };
  const responses = exactly(counted);
  assert(proposals > 3, `the noise must be wrong at times: ${proposals} proposals`);
  assertEquals(responses, exact);
  assertEquals(
    exact.map(({ finishReason }) => finishReason),
    exact.map(({ responseIds }) => responseIds.at(-1) === 432 ? "eos" : "length"),
  );
});

Deno.test("neither batch size nor the other prompts change an exact response", () => {
  assertEquals(exactly(policy(), { batchSize: 1 }), exact);
  assertEquals(exactly(policy(), { prompts: OPTIONS.prompts.slice(3, 6) }), exact.slice(3, 6));
});

for (
  const name of [
    "stories260k",
    "goldens/families/gpt2",
    "goldens/families/qwen3",
    "goldens/families/gpt_neox",
  ]
) {
  Deno.test(`training gives ${name}'s exact responses the same log-probabilities bit for bit, in any minibatch`, () => {
    const { model, parameters } = loadModel(`fixtures/${name}`);
    const network = new Network(model, parameters, { trainable: true });
    const prompts = Array.from({ length: 20 }, (_, i) => ({
      id: `p${i}`,
      ids: Int32Array.from({ length: 1 + (i * 5) % 30 }, (_, t) => (i * 31 + t * 17) % model.vocabSize),
    }));
    const maxNewTokens = Math.min(32, model.contextLength - 30);
    const options = { ...OPTIONS, prompts, maxNewTokens, eosIds: [2] };
    const responses = runSync(exactSteps(new Generator(model, parameters), network, options));
    const sequences = responses.map(({ responseIds }, i): Sequence => {
      const before = prompts[i]!.ids, ids = Int32Array.from([...before, ...responseIds]);
      return { ids, targets: targetsFrom(before.length, ids.length) };
    });
    const program = policyProgram({
      clip: { clipLow: 0.2, clipHigh: 0.2 },
      temperature: 1,
      entropyCoefficient: 0,
    });
    for (const [size, budget] of [[20, 1024], [7, 100], [1, 1024]] as const) {
      const trained: Float32Array[] = [];
      for (let start = 0; start < 20; start += size) {
        const some = sequences.slice(start, start + size), rows: Float32Array[] = [];
        for (const micro of microBatches(some, budget)) {
          const none = new Float32Array(micro.positions.length), { batch, positions, targetIds } = micro;
          const tokens = { id: targetIds, oldLogprob: none, advantage: none, weight: none };
          const { logprob } = network.run({ batch, positions, program, tokens, train: true }).tokens;
          scatterTokens(micro, some, logprob!, rows);
        }
        trained.push(...rows);
      }
      assertEquals(
        bitsOf(trained),
        bitsOf(responses.map(({ logprobs }) => logprobs)),
        `minibatches of ${size}`,
      );
    }
  });
}

Deno.test("at another temperature, both log-probabilities are the training graph's", () => {
  const responses = exactly(noisy(), { temperature: 0.7 });
  assertEquals(responses, exactly(policy(), { temperature: 0.7 }));
  assertEquals(
    bitsOf(responses.map(({ logprobsT1 }) => logprobsT1!)),
    bitsOf(tokenLogprobs(network, sequencesOf(responses))),
  );
  const warmer = (sums: readonly Float32Array[]) =>
    sums.reduce((sum, row) => sum + row.reduce((a, b) => a + b), 0);
  assert(
    warmer(responses.map(({ logprobs }) => logprobs)) >
      warmer(responses.map(({ logprobsT1 }) => logprobsT1!)),
    "cooler sampling gives more to what it draws",
  );
});

Deno.test("stop strings end exact responses where they end plain ones, whatever model proposes", () => {
  // The third of some tokens ends a response: a watcher that does not see the first ones of a proposal ends it too late.
  const isCounted = (id: number) => id > 310 && id < 400;
  const stops = () => {
    const seen = new Map<number, number>();
    return (response: number, id: number) => {
      if (isCounted(id)) seen.set(response, (seen.get(response) ?? 0) + 1);
      return isCounted(id) && seen.get(response) === 3;
    };
  };
  const responses = exactly(noisy(), { stops });
  assertEquals(responses, exactly(policy(), { stops }));
  responses.forEach(({ responseIds, finishReason }, i) => {
    const free = [...exact[i]!.responseIds],
      end = free.findIndex((id, t) => isCounted(id) && free.slice(0, t + 1).filter(isCounted).length === 3);
    assertEquals([...responseIds], end < 0 ? free : free.slice(0, end + 1));
    assertEquals(finishReason, end < 0 ? exact[i]!.finishReason : "stop");
  });
  assert(responses.some(({ finishReason }) => finishReason === "stop"));
});

Deno.test("a network whose bits change from pass to pass is noticed", () => {
  const shaky = new Network(model, parameters.clone()), run = shaky.run.bind(shaky);
  let passes = 0;
  shaky.run = (pass) => {
    shaky.parameters.data.set(passes++ % 2 === 1 ? parameters.data : parameters.data.map((w) => w * 1.5));
    return run(pass);
  };
  assertThrows(
    () => runSync(exactSteps(policy(), shaky, { ...OPTIONS, prompts: OPTIONS.prompts.slice(0, 1) })),
    UnavailableError,
    "exact=true requires that the training graph gives a token the same bits in every batch, got ",
  );
});

Deno.test("a window that is shorter than prompt and response is an error", () => {
  const mistral = loadModel("fixtures/goldens/families/mistral").model;
  const window = mistral.blocks[0]!.attention.window!;
  checkExact(mistral, window);
  assertThrows(
    () => checkExact(mistral, window + 1),
    UsageError,
    `exact=true requires attention windows of at least ${
      window + 1
    } tokens (prompt and response), got a window of ${window}`,
  );
});

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { tokenLogits } from "@/tests/support/token_logits.ts";
import { frozenNetwork } from "./frozen_networks.ts";
import { baseNll, responseSequence, RewardModel } from "./reward_model.ts";

const MODELS = "fixtures/goldens/srppo", BOS = 1, EOS = 2;
const base = frozenNetwork(`${MODELS}/base`);
const response = (...ids: number[]) => ({ responseIds: Int32Array.from(ids) });

/** −log softmax(logits)[id] of every token after the first, in float64: no code of the scoring path. */
function nats(ids: readonly number[]): number[] {
  const batch = { ids: Int32Array.from(ids), rows: 1, length: ids.length }, size = base.model.vocabSize;
  const logits = tokenLogits(base, batch, Int32Array.from(ids, (_, t) => t));
  return ids.slice(1).map((id, t) => {
    const row = Array.from(logits.subarray(t * size, (t + 1) * size));
    return Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[id]!;
  });
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

Deno.test("baseNll() is the mean over the text after BOS, against logits in float64", () => {
  const rows = [response(40, 41, 42, EOS), response(7), response(9, 8, 7, 6, 5)];
  const found = runSync(baseNll(base, rows, { bosId: BOS, eosIds: [EOS] }));
  const texts = [[40, 41, 42], [7], [9, 8, 7, 6, 5]];
  found.forEach(({ mean: nll, tokens }, i) => {
    assertAlmostEquals(nll!, mean(nats([BOS, ...texts[i]!])), 1e-5);
    assertEquals(tokens, texts[i]!.length);
  });
});

Deno.test("baseNll() leaves every EOS token out, and is null where no token is left", () => {
  const ends = { bosId: BOS, eosIds: [EOS, 3] };
  const [other, none, empty] = runSync(baseNll(base, [response(40, 41, 3), response(EOS), response()], ends));
  assertAlmostEquals(other!.mean!, mean(nats([BOS, 40, 41])), 1e-5);
  assertEquals([none, empty], [{ mean: null, tokens: 0 }, { mean: null, tokens: 0 }]);
  // Without an EOS id, the token is text.
  const [kept] = runSync(baseNll(base, [response(40, EOS)], { bosId: BOS, eosIds: [] }));
  assertEquals(kept!.tokens, 2);
});

Deno.test("baseNll() of a model without BOS counts from the second token", () => {
  const rows = [response(40, 41, 42, EOS), response(40, EOS)];
  const [three, one] = runSync(baseNll(base, rows, { bosId: null, eosIds: [EOS] }));
  assertAlmostEquals(three!.mean!, mean(nats([40, 41, 42])), 1e-5);
  assertEquals(three!.tokens, 2);
  assertEquals(one, { mean: null, tokens: 0 });
});

Deno.test("responseSequence() has the response's tokens as targets", () => {
  const { ids, targets } = responseSequence({
    promptIds: Int32Array.of(1, 5),
    responseIds: Int32Array.of(6, 7, 2),
  });
  assertEquals([[...Array.from(ids)], [...Array.from(targets)]], [[1, 5, 6, 7, 2], [2, 3, 4]]);
});

Deno.test("RewardModel: progress is reported before each model; combinations min and lcb bound the mean from below", () => {
  const digest = (name: string) => digestDirectory(`${MODELS}/${name}`).digest;
  const model = (name: string) => ({ path: name, digest: digest(name) });
  const scoreBy = (combine: "mean" | "min" | "lcb") => {
    const reward = new RewardModel(MODELS, {
      members: [model("sft"), model("policy")],
      base: model("base"),
      combine,
      floor: null,
      eosBound: null,
      lengthNorm: "none",
      eosIds: [EOS],
      calibration: {},
    });
    const reported: number[][] = [], responseIds = Int32Array.of(40, 41, 42, EOS);
    const row = {
      id: "r",
      promptId: "p",
      sample: 0,
      promptIds: Int32Array.of(BOS),
      responseIds,
      logprobs: new Float32Array(4),
      logprobsT1: null,
      finishReason: "eos" as const,
      meta: "{}",
    };
    const [scored] = runSync(reward.score([row], {
      sft: { path: `${MODELS}/sft` },
      bosId: BOS,
      progress: (done, total) => reported.push([done, total]),
    }));
    assertEquals(reported, [[0, 5], [1, 5], [2, 5], [3, 5], [4, 5]]);
    return scored!.tokenRewards;
  };
  const average = scoreBy("mean"), least = scoreBy("min"), bound = scoreBy("lcb");
  average.forEach((r, t) => assert(least[t]! <= r + 1e-6 && bound[t]! <= least[t]! + 1e-6, `token ${t}`));
});

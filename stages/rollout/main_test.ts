/** Tests the stage on files: the prompts of an iteration, equal bytes for any batch size, and errors. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type PromptRow, writePrompts } from "@/lib/data/contracts/prompts.ts";
import { readRollouts } from "@/lib/data/contracts/rollouts.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { DataError, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { runStage as run, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { promptsOfIteration, stage } from "./main.ts";

/** 96 ids, a context of 64 tokens; random weights end a response about once in 96 tokens. */
const POLICY = "fixtures/goldens/srppo/policy";
const DIGEST = tokenizerDigest(POLICY);

function prompts(count: number, length = (i: number) => 1 + i * 3 % 17): PromptRow[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `p${i}`,
    promptIds: Int32Array.from({ length: length(i) }, (_, t) => t === 0 ? 1 : 3 + (i * 31 + t * 17) % 90),
    meta: JSON.stringify({ number: i }),
  }));
}

async function runStage(
  directory: TemporaryDirectory,
  given: Partial<StageRun> & { rows?: PromptRow[]; digest?: string; policy?: string } = {},
) {
  const { rows = prompts(12), digest = DIGEST, policy = POLICY, params = {}, ...rest } = given;
  const home = directory.file(crypto.randomUUID()), path = directory.file("prompts.arrow");
  await writePrompts(path, { rows, tokenizerDigest: digest });
  const { rollouts } = await run(stage, home, {
    inputs: { prompts: path, policy },
    params: { prompts_per_iteration: 8, max_new_tokens: 20, ...params },
    ...rest,
  });
  return rollouts!;
}

const idsOf = (rows: readonly PromptRow[]) => rows.map(({ id }) => id);
const idsIn = (rows: readonly PromptRow[], count: number, iteration: number, seed = 3) =>
  idsOf(promptsOfIteration(rows, { seed, iteration, count }));

Deno.test("promptsOfIteration() takes each prompt once per pass, whatever the size of an iteration", () => {
  for (const [count, size] of [[12, 4], [12, 5], [12, 12], [7, 16]] as const) {
    const rows = prompts(count);
    const all = Array.from({ length: count * 2 }, (_, i) => idsIn(rows, size, i)).flat();
    for (let pass = 0; pass + count <= all.length; pass += count) {
      assertEquals(all.slice(pass, pass + count).sort(), idsOf(rows).sort());
    }
  }
});

Deno.test("promptsOfIteration() depends on seed and iteration; 0 takes all prompts in every iteration", () => {
  const rows = prompts(12);
  assertEquals(idsIn(rows, 5, 1), idsIn(rows, 5, 1));
  assert(String(idsIn(rows, 5, 0)) !== String(idsIn(rows, 5, 1)));
  assert(String(idsIn(rows, 5, 0)) !== String(idsIn(rows, 5, 0, 4)));
  for (const i of [0, 1, 5]) assertEquals(idsIn(rows, 0, i).sort(), idsOf(rows).sort());
});

Deno.test("equal bytes for batch sizes 1, 7 and 64, and for a second run", async () => {
  using directory = new TemporaryDirectory();
  const digests = [];
  for (const batch_size of [1, 7, 64, 64]) {
    digests.push(digestFile(await runStage(directory, { params: { batch_size, samples_per_prompt: 3 } })));
  }
  assertEquals(new Set(digests).size, 1);
});

Deno.test("seed and iteration both change the responses to the same prompt", async () => {
  using directory = new TemporaryDirectory();
  const responses = [];
  for (const given of [{ seed: 1 }, { seed: 2 }, { seed: 1, iteration: 1 }]) {
    const { rows } = readRollouts(
      await runStage(directory, { params: { prompts_per_iteration: 0 }, ...given }),
    );
    responses.push(rows.find(({ promptId }) => promptId === "p4")!.responseIds.join());
  }
  assertEquals(new Set(responses).size, 3);
});

Deno.test("samples of a prompt differ and have the id <iteration>/<prompt>/<number>", async () => {
  using directory = new TemporaryDirectory();
  const path = await runStage(directory, {
    params: { prompts_per_iteration: 4, samples_per_prompt: 2 },
    iteration: 7,
  });
  const { rows, tokenizerDigest } = readRollouts(path);
  assertEquals(tokenizerDigest, DIGEST);
  assertEquals(rows.length, 8);
  rows.forEach(({ id, promptId, sample, meta, promptIds }, i) => {
    assertEquals([id, sample], [`7/${promptId}/${i % 2}`, i % 2]);
    const source = prompts(12).find((prompt) => prompt.id === promptId)!;
    assertEquals([meta, promptIds], [source.meta, source.promptIds]);
  });
  assertEquals(new Set(rows.map(({ responseIds }) => responseIds.join())).size, 8);
});

Deno.test("an iteration longer than a pass repeats a prompt and continues its sample numbers", async () => {
  using directory = new TemporaryDirectory();
  const { rows } = readRollouts(
    await runStage(directory, { rows: prompts(3), params: { prompts_per_iteration: 7 } }),
  );
  assertEquals(new Set(rows.map(({ id }) => id)).size, 7);
  for (const id of ["p0", "p1", "p2"]) {
    const samples = rows.filter(({ promptId }) => promptId === id).map(({ sample }) => sample);
    assertEquals(samples, [...samples.keys()]);
  }
});

Deno.test("a response ends with its only EOS token, or at the length limit without one", async () => {
  using directory = new TemporaryDirectory();
  const params = { samples_per_prompt: 6, max_new_tokens: 40 };
  const { rows } = readRollouts(await runStage(directory, { params }));
  assertEquals(new Set(rows.map(({ finishReason }) => finishReason)), new Set(["eos", "length"]));
  for (const { responseIds, finishReason, logprobs, logprobsT1 } of rows) {
    const ends = [...responseIds].flatMap((id, t) => id === 2 ? [t] : []);
    assertEquals(ends, finishReason === "eos" ? [responseIds.length - 1] : []);
    if (finishReason === "length") assertEquals(responseIds.length, 40);
    assertEquals([logprobs.length, logprobsT1], [responseIds.length, null]);
    assert(logprobs.every((x) => x < 0));
  }
});

Deno.test("by default the policy itself is sampled: no temperature, top-k, top-p or stop string (statement 17)", () => {
  const { temperature, top_k, top_p, stop: stops } = stage.params.parse({});
  assertEquals({ temperature, top_k, top_p, stops }, { temperature: 1, top_k: 0, top_p: 1, stops: [] });
});

Deno.test("with temperature, top-k or top-p, the log-probabilities at temperature 1 are stored too", async () => {
  using directory = new TemporaryDirectory();
  for (const params of [{ temperature: 0.5 }, { top_k: 4 }, { top_p: 0.5 }]) {
    const { rows } = readRollouts(await runStage(directory, { params }));
    for (const { logprobs, logprobsT1 } of rows) {
      assertEquals(logprobsT1!.length, logprobs.length);
      assert(
        logprobs.some((x, t) => x > logprobsT1![t]! + 1e-3),
        "truncated sampling gives the tokens that it keeps a higher probability",
      );
    }
  }
});

Deno.test("progress counts finished responses up to all of them", async () => {
  using directory = new TemporaryDirectory();
  const steps: number[] = [], totals = new Set<number>();
  const progress: StageRun["progress"] = ({ step, total }) => {
    steps.push(step!);
    totals.add(total!);
  };
  await runStage(directory, { params: { samples_per_prompt: 2 }, progress });
  assertEquals(totals, new Set([16]));
  assertEquals(steps.at(-1), 16);
});

Deno.test("a stop that is requested during sampling is noticed between two tokens", async () => {
  using directory = new TemporaryDirectory();
  let steps = 0;
  await assertRejects(
    () => runStage(directory, { params: { max_new_tokens: 40 }, stopAfter: 3, progress: () => steps++ }),
    TryAgainError,
    "Interrupted: this iteration is discarded. Run the same command to resume",
  );
  assertEquals(steps, 3);
});

Deno.test("all prompts that leave no room for a response are listed, also those of later iterations", async () => {
  using directory = new TemporaryDirectory();
  const rows = prompts(12, (i) => i === 3 || i === 9 ? 45 : 5);
  for (const prompts_per_iteration of [1, 12]) {
    await assertRejects(
      () => runStage(directory, { rows, params: { prompts_per_iteration } }),
      DataError,
      `${
        directory.file("prompts.arrow")
      }: a row must have at most 44 tokens (the model's context of 64 minus 20 ` +
        'new ones) and ids below 96, got "p3" with 45 tokens; "p9" with 45 tokens',
    );
  }
});

Deno.test("a policy with another tokenizer, or a critic, is an error", async () => {
  using directory = new TemporaryDirectory();
  await assertRejects(
    () => runStage(directory, { digest: "cd".repeat(32) }),
    DataError,
    `prompts and policy must have the same tokenizer, got cdcdcdcdcdcd (prompts), ${
      DIGEST.slice(0, 12)
    } (policy)`,
  );
  const critic = "fixtures/goldens/srppo/critic";
  await assertRejects(
    () => runStage(directory, { policy: critic }),
    DataError,
    `${critic}: a language model is required, got a critic`,
  );
});

Deno.test("a stop string ends responses without EOS, equally in any batch", async () => {
  using directory = new TemporaryDirectory();
  const policy = "fixtures/stories260k", tokenizer = loadTokenizer(policy);
  const [promptIds] = await tokenizer.encodeAll(["Once upon a time"]);
  const rows = prompts(6).map((row) => ({ ...row, promptIds: promptIds! }));
  const given = { rows, policy, digest: tokenizerDigest(policy) };
  const params = { prompts_per_iteration: 6, max_new_tokens: 60, stop: [" was", ", "] };
  const files = [];
  for (const batch_size of [1, 4]) {
    files.push(await runStage(directory, { ...given, params: { ...params, batch_size } }));
  }
  assertEquals(digestFile(files[0]!), digestFile(files[1]!));
  const free = readRollouts(await runStage(directory, { ...given, params: { ...params, stop: [] } })).rows;
  for (const [k, { responseIds, finishReason, logprobs }] of readRollouts(files[0]!).rows.entries()) {
    const texts = Array.from(responseIds, (_, t) => tokenizer.decode(responseIds.subarray(0, t + 1)));
    const holds = texts.map((text) => params.stop.some((stop) => text.includes(stop)));
    assertEquals([finishReason, holds.indexOf(true)], ["stop", responseIds.length - 1]);
    assertEquals([...responseIds].includes(2), false);
    assertEquals([...responseIds], [...free[k]!.responseIds.subarray(0, responseIds.length)]);
    assertEquals([...logprobs], [...free[k]!.logprobs.subarray(0, responseIds.length)]);
  }
});

/** The stage on files: the quickstart, a model's responses, bad files of users. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { type RolloutRow, writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { type ScoredRow, writeScored } from "@/lib/data/contracts/scored.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { readTokens } from "@/lib/data/contracts/tokens.ts";
import { CHECKER_DETAILS } from "@/lib/model/evals/checker_params.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { DataError, exitCodeOf, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { stage } from "./main.ts";
import { type Params, params } from "./params.ts";

const MODEL = "fixtures/stories260k";
const QUICKSTART = "fixtures/quickstart";
const CORRUPT = "fixtures/goldens/corrupt";

/** Calls `use` with a temporary directory and the paths of outputs in it. */
async function inTemporary(
  use: (dir: string, outputs: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    const outputs = Object.fromEntries(
      Object.keys(stage.outputs).map((port) => [port, `${dir}/out/${port}`]),
    );
    await use(dir, outputs);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function runStage(
  inputs: InputPaths,
  outputs: Readonly<Record<string, string>>,
  given: Partial<Params> = {},
  { seed = 0, signal = new AbortController().signal } = {},
): Promise<void> {
  return stage.run({
    params: params.parse(given),
    inputs: { model: MODEL, ...inputs },
    outputs,
    seed,
    iteration: 0,
    threads: 1,
    signal,
    progress: () => {},
  });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The part of report.json that these tests look at. */
interface Report {
  readonly rollouts: unknown;
  readonly train: { readonly rows: number; readonly distinct_prompts: number; readonly tokens: number };
  readonly prompts: { readonly in_train: number };
  readonly examples: readonly {
    readonly segments: readonly { readonly mask: number; readonly text: string }[];
  }[];
}

async function reportOf(outputs: Readonly<Record<string, string>>): Promise<Report> {
  return JSON.parse(await Deno.readTextFile(`${outputs.report}/report.json`));
}

const quickstart = {
  demonstrations: `${QUICKSTART}/demos.jsonl`,
  prompts: `${QUICKSTART}/prompts.jsonl`,
  eval_prompts: `${QUICKSTART}/eval.jsonl`,
};

Deno.test("the quickstart: 1000 demonstrations on 541 prompts, 768 prompts, 256 evaluation prompts with their words", () =>
  inTemporary(async (_, outputs) => {
    await runStage(quickstart, outputs);
    const train = readTokens(outputs.train!);
    const prompts = readPrompts(outputs.prompts!);
    const evals = readPrompts(outputs.eval_prompts!);
    assertEquals([train.rows.length, prompts.rows.length, evals.rows.length], [1000, 768, 256]);
    assertEquals(await exists(outputs.validation!), false);
    assertEquals(
      [train, prompts, evals].map((table) => table.tokenizerDigest),
      Array(3).fill(tokenizerDigest(MODEL)),
    );
    assertEquals(evals.rows[0]!.meta, '{"words":["Tim","plane"]}');
    assertEquals(prompts.rows[0]!.meta, "{}");

    const report = await reportOf(outputs);
    assertEquals([report.train.rows, report.train.distinct_prompts, report.prompts.in_train], [1000, 541, 0]);
    assertEquals(report.train.tokens, train.rows.reduce((sum, row) => sum + row.inputIds.length, 0));
    const [prompt, response] = report.examples[1]!.segments;
    assertEquals([prompt!.mask, prompt!.text], [
      0,
      "<s> Once upon a time, there was a little boy named Tommy. He had a beach.",
    ]);
    assertEquals([response!.mask, response!.text], [
      1,
      " Tommy wanted to touch the beach. He shared the oven and the bee would climb it.</s>",
    ]);
  }));

Deno.test("equal inputs give equal bytes, and a row does not depend on the order of others", () =>
  inTemporary(async (dir, outputs) => {
    const given = { validation_fraction: 0.2 };
    await runStage({ demonstrations: quickstart.demonstrations }, outputs, given, { seed: 5 });
    const files = ["train", "validation", "prompts", "eval_prompts"].map((port) => outputs[port]!);
    const before = [...files, `${outputs.report}/report.json`].map(digestFile);
    const heldOut = new Set(readTokens(outputs.validation!).rows.map(({ id }) => id));
    assert(heldOut.size > 100 && heldOut.size < 300, `${heldOut.size} held out`);
    await runStage({ demonstrations: quickstart.demonstrations }, outputs, given, { seed: 5 });
    assertEquals([...files, `${outputs.report}/report.json`].map(digestFile), before);

    const lines = (await Deno.readTextFile(quickstart.demonstrations)).trimEnd().split("\n");
    await Deno.writeTextFile(`${dir}/reversed.jsonl`, lines.toReversed().join("\n"));
    await runStage({ demonstrations: `${dir}/reversed.jsonl` }, outputs, given, { seed: 5 });
    assertEquals(new Set(readTokens(outputs.validation!).rows.map(({ id }) => id)), heldOut);
    await runStage({ demonstrations: quickstart.demonstrations }, outputs, given, { seed: 6 });
    assert(digestFile(outputs.validation!) !== before[1], "another seed must hold out other prompts");
  }));

async function rolloutOf(
  id: string,
  response: string,
  finishReason: RolloutRow["finishReason"],
): Promise<RolloutRow> {
  const tokenizer = loadTokenizer(MODEL);
  const end = finishReason === "eos" ? [2] : [];
  const responseIds = Int32Array.from([...await tokenizer.encode(response, { special: false }), ...end]);
  return {
    id,
    promptId: "p0",
    sample: 0,
    promptIds: await tokenizer.encode("There was a girl named Lucy. She had a book."),
    responseIds,
    logprobs: new Float32Array(responseIds.length),
    logprobsT1: null,
    finishReason,
    meta: '{"words":["Lucy","book"]}',
  };
}

const rollouts = [
  await rolloutOf("r0", "Lucy read the book.", "eos"),
  await rolloutOf("r1", "Lucy read.", "eos"),
  await rolloutOf("r2", "Lucy read the book and", "length"),
  await rolloutOf("r3", "A book for Lucy.", "stop"),
];

Deno.test("responses that pass a checker become demonstrations, with their own ids and one end token", () =>
  inTemporary(async (dir, outputs) => {
    const file = `${dir}/rollouts.arrow`;
    await writeRollouts(file, { rows: rollouts, tokenizerDigest: tokenizerDigest(MODEL) });
    await runStage({ rollouts: file }, outputs, { checker: "words" });
    const { rows } = readTokens(outputs.train!);
    assertEquals(rows.map(({ id, source }) => [id, source]), [["r0", "rollouts:r0"], ["r3", "rollouts:r3"]]);
    const [whole, stopped] = [rollouts[0]!, rollouts[3]!];
    assertEquals([...rows[0]!.inputIds], [...whole.promptIds, ...whole.responseIds]);
    assertEquals([...rows[1]!.inputIds], [...stopped.promptIds, ...stopped.responseIds, 2]);
    assertEquals(rows[1]!.lossMask.reduce((sum, mask) => sum + mask, 0), stopped.responseIds.length + 1);
    assertEquals((await reportOf(outputs)).rollouts, { offered: 4, ended: 3, selected: 2 });
    assertEquals(readPrompts(outputs.prompts!).rows.map(({ id, meta }) => [id, meta]), [["r0", whole.meta]]);

    await runStage({ rollouts: file, demonstrations: quickstart.demonstrations }, outputs, { select: "all" });
    assertEquals(readTokens(outputs.train!).rows.length, 1003);
  }));

Deno.test("responses can be selected by reward, which only scored rollouts have", () =>
  inTemporary(async (dir, outputs) => {
    const digest = tokenizerDigest(MODEL);
    const rows = rollouts.map((row, k): ScoredRow => {
      const lists = { sftLogprobs: row.logprobs, targetLogprobs: row.logprobs, baseLogprobs: row.logprobs };
      return { ...row, ...lists, tokenRewards: row.logprobs, rawReward: k, reward: k, baseNll: null };
    });
    await writeScored(`${dir}/scored.arrow`, { rows, tokenizerDigest: digest });
    await runStage({ rollouts: `${dir}/scored.arrow` }, outputs, { select: "reward", reward_fraction: 0.34 });
    assertEquals(readTokens(outputs.train!).rows.map(({ id }) => id), ["r3"]);

    const file = `${dir}/rollouts.arrow`;
    await writeRollouts(file, { rows: rollouts, tokenizerDigest: digest });
    const byReward = await assertRejects(
      () => runStage({ rollouts: file }, outputs, { select: "reward" }),
      DataError,
    );
    assertEquals(
      byReward.message,
      `${file}: select=reward requires scored@1, got rollouts@1`,
    );
    const unnamed = await assertRejects(() => runStage({ rollouts: file }, outputs), UsageError);
    assertEquals(
      unnamed.message,
      "select=score requires --checker words, exact, contains, regex or a module path (or use --select reward, best or all)",
    );
    const none = await assertRejects(
      () => runStage({ rollouts: file }, outputs, { checker: "regex", checker_pattern: "^zebra$" }),
      DataError,
    );
    assertEquals(
      none.message,
      `${file}: select=score must select at least one row, got none of 4 rows, 3 of which ended`,
    );
    await writeRollouts(file, { rows: rollouts, tokenizerDigest: "0" });
    const foreign = await assertRejects(
      () => runStage({ rollouts: file }, outputs, { select: "all" }),
      DataError,
    );
    assertEquals(
      foreign.message,
      `${file}: token ids must be those of the model's tokenizer, ${digest}, got 0`,
    );
  }));

interface Corrupt {
  readonly file: string;
  readonly kind: string;
  readonly must_mention: readonly string[];
  readonly generate?: {
    readonly lines: readonly {
      text?: string;
      prefix?: string;
      repeat?: string;
      count?: number;
      suffix?: string;
    }[];
  };
}

Deno.test("every corrupt JSONL file and tokenizer is refused with one DataError, and nothing is written", () =>
  inTemporary(async (dir, outputs) => {
    const all = (await Deno.readTextFile(`${CORRUPT}/expected.jsonl`)).trim().split("\n").map((l): Corrupt =>
      JSON.parse(l)
    );
    const cases = all.filter(({ file, kind }) =>
      kind === "tokenizer" || (kind === "rows" && file.endsWith(".jsonl"))
    );
    let tried = 0;
    for (const { file, kind, must_mention, generate } of cases) {
      let path = `${CORRUPT}/${file}`;
      if (generate) {
        path = `${dir}/${file}`;
        const lines = generate.lines.map((line) =>
          line.text ?? line.prefix! + line.repeat!.repeat(line.count!) + line.suffix!
        );
        await Deno.writeTextFile(path, lines.join("\n"));
      }
      const inputs = kind === "tokenizer" ? { ...quickstart, model: path } : { demonstrations: path };
      const error = await assertRejects(() => runStage(inputs, outputs, { max_length: 512 }), DataError);
      for (const word of must_mention) {
        assert(
          error.message.toLowerCase().includes(word.toLowerCase()),
          `${file}: no "${word}" in: ${error.message}`,
        );
      }
      assert(!/\.$/.test(error.message), error.message);
      tried++;
    }
    assertEquals(tried, 27);
    assertEquals(await exists(`${dir}/out`), false);
    await runStage({ demonstrations: `${CORRUPT}/ok_rows.jsonl` }, outputs);
    assert(readTokens(outputs.train!).rows.length > 0);
  }));

Deno.test("all bad rows of a file are listed, each with all its problems", () =>
  inTemporary(async (dir, outputs) => {
    const file = `${dir}/d.jsonl`;
    const rows = [
      { id: "a", prompt: "A?", response: "" },
      { id: "a", prompt: "B?", response: " \n" },
      { id: {}, prompt: 1 },
      { prompt: "\ud800", response: "x" },
      { id: "", prompt: "C?", response: ["x"] },
    ];
    await Deno.writeTextFile(file, rows.map((row) => JSON.stringify(row)).join("\n"));
    const error = await assertRejects(() => runStage({ demonstrations: file }, outputs), DataError);
    assertEquals(
      error.message,
      `${file}: every row must have a text in "prompt" and "response" and a unique id, got 5 bad rows: ` +
        `line 1 (response is empty), line 2 (response is white space alone; id "a" is already used by line 1), line 3 ` +
        `(prompt is a number; missing field "response", got "id", "prompt"; id is an object), line 4 (prompt has half a ` +
        `surrogate pair), line 5 (response is an array; id is empty)`,
    );
    assertEquals([error.where.file, error.where.line], [file, 1]);
  }));

Deno.test("a field named __proto__ is kept", () =>
  inTemporary(async (dir, outputs) => {
    await Deno.writeTextFile(`${dir}/p.jsonl`, '{"prompt":"A?","__proto__":{"x":1},"constructor":2}');
    await runStage({ prompts: `${dir}/p.jsonl` }, outputs);
    const [row] = readPrompts(outputs.prompts!).rows;
    assertEquals([row!.id, row!.meta], ["line-1", '{"__proto__":{"x":1},"constructor":2}']);
  }));

Deno.test("limits that the model does not support are usage errors", () =>
  inTemporary(async (_, outputs) => {
    const messageOf = async (given: Partial<Params>): Promise<string> =>
      (await assertRejects(() => runStage(quickstart, outputs, given), UsageError)).message;
    assertEquals(
      await messageOf({ max_length: 513 }),
      "max_length must be at most the context length 512 of fixtures/stories260k, got 513",
    );
    assertEquals(
      await messageOf({ max_length: 100, max_prompt_length: 100 }),
      "max_prompt_length must be less than max_length 100, got 100",
    );
    const none = await assertRejects(() => runStage({}, outputs), UsageError);
    assertEquals(
      none.message,
      "At least one input is required: demonstrations, prompts, eval_prompts or rollouts",
    );
  }));

Deno.test("a model without an end token or a context length is refused", () =>
  inTemporary(async (dir, outputs) => {
    await Deno.copyFile(`${MODEL}/tokenizer.json`, `${dir}/tokenizer.json`);
    const inputs = { ...quickstart, model: dir };
    const context = await assertRejects(() => runStage(inputs, outputs), UsageError);
    assertEquals(
      context.message,
      `max_length is required, since config.json of ${dir} has no context length`,
    );
    const end = await assertRejects(() => runStage(inputs, outputs, { max_length: 128 }), DataError);
    assertEquals(
      end.message,
      `${dir} must name an end token for demonstrations (eos_token_id of generation_config.json or config.json, ` +
        "eos_token of tokenizer_config.json), got none",
    );
  }));

Deno.test("every parameter has a description of at most 12 words and the source of its default", () => {
  for (const [name, schema] of Object.entries(params.shape)) {
    const { description, source } = schema.meta() as { description?: string; source?: string };
    assert(description !== undefined && source !== undefined, name);
    if (!Object.hasOwn(CHECKER_DETAILS, name)) assert(description.split(/\s+/).length <= 12, name);
  }
  params.parse({});
});

Deno.test("conversations by the model's template: several files, one end token per response, one BOS, no padding", () =>
  inTemporary(async (dir, outputs) => {
    const model = "fixtures/goldens/chat_templates/llama3", tokenizer = loadTokenizer(model);
    const layouts = "fixtures/goldens/layouts";
    await Deno.writeTextFile(
      `${dir}/empty.jsonl`,
      '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":""}]}',
    );
    const demonstrations = [
      `${layouts}/messages.arrow`,
      `${layouts}/sharegpt_multi.json`,
      `${dir}/empty.jsonl`,
    ];
    const prompts = `${layouts}/qa.csv`;
    await runStage({ model, demonstrations, prompts }, outputs, { max_length: 1024, boundary: "split" });
    const { rows } = readTokens(outputs.train!);
    assertEquals(rows.length, 30);
    const responses: string[] = [];
    for (const { inputIds, lossMask } of rows) {
      assertEquals(inputIds.filter((id) => id === tokenizer.bosId).length, 1);
      assertEquals(tokenizer.padId !== null && inputIds.includes(tokenizer.padId), false);
      for (let k = 1; k <= inputIds.length; k++) {
        if (lossMask[k - 1] === 1 && lossMask[k] !== 1) {
          const start = lossMask.lastIndexOf(0, k - 1) + 1, run = inputIds.subarray(start, k);
          assertEquals([...run].filter((id) => tokenizer.eosIds.includes(id)), [run.at(-1)!]);
          responses.push(tokenizer.decode(run));
        }
      }
    }
    assertEquals(responses[0], "Lisbon.<|eot_id|>");
    const report = await reportOf(outputs);
    assertEquals((report.train as unknown as { unsupervised: number }).unsupervised, 1);
    const [first] = readPrompts(outputs.prompts!).rows;
    const [row] = rows;
    assertEquals([...first!.promptIds], [...row!.inputIds.subarray(0, row!.lossMask.indexOf(1))]);
  }));

Deno.test("documents become texts without prompts that are supervised as a whole", () =>
  inTemporary(async (_, outputs) => {
    await runStage({ demonstrations: "fixtures/goldens/layouts/documents.txt" }, outputs);
    const { rows } = readTokens(outputs.train!);
    assertEquals(rows.length, 20);
    for (const { inputIds, lossMask } of rows) {
      assertEquals([inputIds[0], lossMask.indexOf(1), lossMask.lastIndexOf(0), inputIds.at(-1)], [
        1,
        1,
        0,
        2,
      ]);
    }
    assertEquals(await exists(outputs.prompts!), false);
  }));

Deno.test("tokenize ends with TryAgainError (exit code 75) when it is interrupted, like every stage", () =>
  inTemporary(async (_, outputs) => {
    const stopped = () => runStage(quickstart, outputs, {}, { signal: AbortSignal.abort() });
    assertEquals(exitCodeOf(await assertRejects(stopped, TryAgainError)), 75);
    assertEquals(await exists(outputs.train!), false);
  }));

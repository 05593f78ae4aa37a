/** The stage on files, where a pattern ends a base model's answers and where only some demonstrations are wanted. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { type RolloutRow, writeRollouts } from "@/lib/contracts/rollouts.ts";
import { readTokens } from "@/lib/contracts/tokens.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";

const MODEL = "fixtures/stories260k";
const DEMONSTRATIONS = "fixtures/quickstart/demos.jsonl";
const PATTERN = "(?:[^.]+[.]){2}";

async function answer(
  id: string,
  response: string,
  finishReason: RolloutRow["finishReason"],
): Promise<RolloutRow> {
  const tokenizer = loadTokenizer(MODEL);
  const end = finishReason === "eos" ? [2] : [];
  const responseIds = Int32Array.from([...await tokenizer.encode(response, { special: false }), ...end]);
  const promptIds = await tokenizer.encode("There was a girl named Lucy. She had a book.");
  const logprobs = new Float32Array(responseIds.length);
  const meta = '{"words":["Lucy","book"]}';
  return {
    id,
    promptId: "p",
    sample: 0,
    promptIds,
    responseIds,
    logprobs,
    logprobsT1: null,
    finishReason,
    meta,
  };
}

/** Three answers: one to be cut, one that matches nowhere, one that lacks a word. */
async function writeAnswers(directory: TemporaryDirectory): Promise<string> {
  const file = directory.file("rollouts.arrow");
  const rows = [
    await answer("a", "Lucy read. The book fell. And", "length"),
    await answer("b", "Lucy read a book and more", "length"),
    await answer("c", "Lucy read. It fell.", "eos"),
  ];
  await writeRollouts(file, { rows, tokenizerDigest: tokenizerDigest(MODEL) });
  return file;
}

async function reportOf(outputs: Readonly<Record<string, string>>) {
  const text = await Deno.readTextFile(join(outputs.report!, "report.json"));
  return JSON.parse(text) as {
    readonly rollouts: unknown;
    readonly train: Readonly<Record<string, unknown>>;
  };
}

Deno.test("answers that did not end by themselves become demonstrations that end behind a pattern", async () => {
  using directory = new TemporaryDirectory();
  const inputs = { model: MODEL, rollouts: await writeAnswers(directory) };
  const params = { response_pattern: PATTERN, checker: "words" };
  const outputs = await runStage(stage, directory.file("out"), { inputs, params });
  const { rows } = readTokens(outputs.train!);
  const expected = await answer("a", "Lucy read. The book fell.", "length");
  assertEquals(rows.map(({ id }) => id), ["a"]);
  assertEquals([...rows[0]!.inputIds], [...expected.promptIds, ...expected.responseIds, 2]);
  assertEquals((await reportOf(outputs)).rollouts, { offered: 3, ended: 2, selected: 1 });

  const byReward = { ...params, select: "reward" };
  const error = await assertRejects(
    () => runStage(stage, directory.file("no"), { inputs, params: byReward }),
    UsageError,
  );
  assertEquals(
    error.message,
    "Cannot select rollouts by reward as response_pattern must be empty then: a reward belongs to the whole answer",
  );
});

Deno.test("some of a user's demonstrations and of a model's answers are drawn, and never more than there are", async () => {
  using directory = new TemporaryDirectory();
  const rollouts = await writeAnswers(directory);
  const inputs = { model: MODEL, rollouts, demonstrations: DEMONSTRATIONS };
  const params = { response_pattern: PATTERN, select: "all" };
  const draw = async (count: number, seed: number): Promise<string[]> => {
    const home = directory.file(`${count}-${seed}`);
    const outputs = await runStage(stage, home, { inputs, params: { ...params, draw: count }, seed });
    assertEquals((await reportOf(outputs)).train.drawn_from, 1002);
    return readTokens(outputs.train!).rows.map(({ id }) => id);
  };
  const [few, many, other] = [await draw(64, 3), await draw(256, 3), await draw(64, 4)];
  assertEquals([few.length, many.length, few.filter((id) => !many.includes(id))], [64, 256, []]);
  assertEquals(few.join() === other.join(), false);
  const error = await assertRejects(() => draw(1003, 0), DataError);
  assertEquals(
    error.message,
    `Cannot draw 1003 demonstrations from ${DEMONSTRATIONS} and ${rollouts} as there must be as many to learn: there are 1002`,
  );
});

Deno.test("a pattern that is none is refused by the parameter's own schema", () => {
  const { error } = stage.params.safeParse({ response_pattern: "(" });
  assertEquals(error?.issues.map(({ message }) => message), ["must be a regular expression"]);
});

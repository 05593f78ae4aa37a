/** The stage on files: truncation by a pattern, and draws of demonstrations. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type RolloutRow, writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { readTokens } from "@/lib/data/contracts/tokens.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";

const MODEL = "fixtures/stories260k";
const DEMONSTRATIONS = "fixtures/quickstart/demos.jsonl";
const PATTERN = "(?:[^.]+[.]){2}";

async function response(
  id: string,
  text: string,
  finishReason: RolloutRow["finishReason"],
): Promise<RolloutRow> {
  const tokenizer = loadTokenizer(MODEL);
  const end = finishReason === "eos" ? [2] : [];
  const responseIds = Int32Array.from([...await tokenizer.encode(text, { special: false }), ...end]);
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

/** Writes three responses: one to be truncated, one without a match, one that lacks a word. */
async function writeResponses(directory: TemporaryDirectory): Promise<string> {
  const file = directory.file("rollouts.arrow");
  const rows = [
    await response("a", "Lucy read. The book fell. And", "length"),
    await response("b", "Lucy read a book and more", "length"),
    await response("c", "Lucy read. It fell.", "eos"),
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

Deno.test("responses that did not end by themselves become demonstrations that end after a pattern", async () => {
  using directory = new TemporaryDirectory();
  const inputs = { model: MODEL, rollouts: await writeResponses(directory) };
  const params = { response_pattern: PATTERN, checker: "words" };
  const outputs = await runStage(stage, directory.file("out"), { inputs, params });
  const { rows } = readTokens(outputs.train!);
  const expected = await response("a", "Lucy read. The book fell.", "length");
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
    "response_pattern must be empty with select=reward: the reward was computed for the whole response",
  );
});

Deno.test("demonstrations of files and rollouts are drawn together, and a draw of more than all is refused", async () => {
  using directory = new TemporaryDirectory();
  const rollouts = await writeResponses(directory);
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
    `draw must be at most the number of demonstrations in ${DEMONSTRATIONS} and ${rollouts}, 1002, got 1003`,
  );
});

Deno.test("an invalid pattern is refused by the parameter's schema", () => {
  const { error } = stage.params.safeParse({ response_pattern: "(" });
  assertEquals(error?.issues.map(({ message }) => message), ["must be a regular expression"]);
});

/** Truncation of responses after a pattern. @module */
import { assertEquals } from "@std/assert";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { compilePattern } from "@/lib/model/evals/pattern.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { truncateResponses } from "./truncate_responses.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");
const decode = (ids: Int32Array): string => tokenizer.decode(ids, { skipSpecial: true });
/** Two sentences without line breaks and speech. */
const TWO = compilePattern('(?:[^.!?"\\n]+[.!?]){2}');

async function response(text: string): Promise<RolloutRow> {
  const responseIds = await tokenizer.encode(text, { special: false });
  const logprobs = Float32Array.from(responseIds, (_, k) => -k);
  const common = { id: "r", promptId: "p", sample: 0, promptIds: Int32Array.of(1), meta: "{}" };
  return { ...common, responseIds, logprobs, logprobsT1: null, finishReason: "length" };
}

Deno.test("a response is truncated after the match and keeps its sampled ids and log-probabilities", async () => {
  const row = await response(" He ran. He fell! Then he");
  const [truncated] = truncateResponses([row], { pattern: TWO, decode });
  assertEquals(decode(truncated!.responseIds), " He ran. He fell!");
  const length = truncated!.responseIds.length;
  assertEquals(truncated!.responseIds, row.responseIds.subarray(0, length));
  assertEquals(truncated!.logprobs, row.logprobs.subarray(0, length));
  assertEquals([truncated!.finishReason, truncated!.logprobsT1], ["stop", null]);
});

Deno.test("responses that do not begin with a match are left out, in any order", async () => {
  const texts = ["One. Two. Three.", "One", '"Speech." Two.', "One.\nTwo. Three.", "A! B? C"];
  const rows = await Promise.all(texts.map(response));
  const truncated = truncateResponses([...rows, ...rows], { pattern: TWO, decode }).map(({ responseIds }) =>
    decode(responseIds)
  );
  assertEquals(truncated, ["One. Two.", "A! B?", "One. Two.", "A! B?"]);
});

Deno.test("a response whose match is empty or ends inside a token is left out", async () => {
  const row = await response("time");
  assertEquals(row.responseIds.length < 4, true, "the word must be made of tokens of several letters");
  assertEquals(truncateResponses([row], { pattern: compilePattern("t"), decode }), []);
  assertEquals(truncateResponses([row], { pattern: compilePattern("x*"), decode }), []);
});

/** Where a pattern ends an answer. @module */
import { assertEquals } from "@std/assert";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { cutResponses } from "./cut_responses.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");
const decode = (ids: Int32Array): string => tokenizer.decode(ids, { skipSpecial: true });
/** Two sentences without line breaks and speech. */
const TWO = /(?:[^.!?"\n]+[.!?]){2}/uy;

async function answer(text: string): Promise<RolloutRow> {
  const responseIds = await tokenizer.encode(text, { special: false });
  const logprobs = Float32Array.from(responseIds, (_, k) => -k);
  const common = { id: "r", promptId: "p", sample: 0, promptIds: Int32Array.of(1), meta: "{}" };
  return { ...common, responseIds, logprobs, logprobsT1: null, finishReason: "length" };
}

Deno.test("an answer ends behind the match, with the ids and log-probabilities that it was drawn with", async () => {
  const row = await answer(" He ran. He fell! Then he");
  const [cut] = cutResponses([row], { pattern: TWO, decode });
  assertEquals(decode(cut!.responseIds), " He ran. He fell!");
  const length = cut!.responseIds.length;
  assertEquals(cut!.responseIds, row.responseIds.subarray(0, length));
  assertEquals(cut!.logprobs, row.logprobs.subarray(0, length));
  assertEquals([cut!.finishReason, cut!.logprobsT1], ["stop", null]);
});

Deno.test("answers that do not begin with a match are left out, in whatever order they come", async () => {
  const texts = ["One. Two. Three.", "One", '"Speech." Two.', "One.\nTwo. Three.", "A! B? C"];
  const rows = await Promise.all(texts.map(answer));
  const cut = cutResponses([...rows, ...rows], { pattern: TWO, decode }).map(({ responseIds }) =>
    decode(responseIds)
  );
  assertEquals(cut, ["One. Two.", "A! B?", "One. Two.", "A! B?"]);
});

Deno.test("a match that ends inside a token, and an empty match, leave the answer out", async () => {
  const row = await answer("time");
  assertEquals(row.responseIds.length < 4, true, "the word must be made of tokens of several letters");
  assertEquals(cutResponses([row], { pattern: /t/uy, decode }), []);
  assertEquals(cutResponses([row], { pattern: /x*/uy, decode }), []);
});

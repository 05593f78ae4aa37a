/** Tests win rates against alpaca-eval 0.6.6 (fixtures/benchmarks/alpaca_reference.json), and the judge with a local endpoint. @module */
import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { judgePairs, parsePreference, switches } from "./judge_pairs.ts";
import { winRates } from "./win_rates.ts";

Deno.test("win rates and length-controlled win rates are those of alpaca-eval", () => {
  const reference = JSON.parse(Deno.readTextFileSync("fixtures/benchmarks/alpaca_reference.json"));
  const annotations = reference.annotations.map((
    row: { output_1: number; output_2: number; preference: number },
  ) => ({
    output_1: "x".repeat(row.output_1),
    output_2: "y".repeat(row.output_2),
    preference: row.preference,
  }));
  for (const [glm, expected] of Object.entries<Record<string, number>>(reference.expected)) {
    const rates = winRates(annotations, glm === "length_controlled_v1" ? reference.gamed : undefined);
    assertEquals(rates.glm, glm);
    for (const [name, value] of Object.entries(expected)) {
      // liblinear stops at a tolerance of 1e-4; the others are closed forms
      assertAlmostEquals(rates[name as "win_rate"], value, /^(length|lc)/.test(name) ? 0.01 : 1e-9, name);
    }
  }
});

Deno.test("the order of a pair is that of alpaca-eval's seeded choice", () => {
  // python3: random.Random("is_switch_output_1_output_2" + text + "123").choices([False, True])
  assertEquals(["a", "b", "c", "hello", "é"].map(switches), [false, true, false, false, false]);
});

const reply = (m: number, M: number) =>
  JSON.stringify({
    choices: [{
      logprobs: { content: [{ top_logprobs: [{ token: "m", logprob: m }, { token: "M", logprob: M }] }] },
    }],
  });

Deno.test("a preference is 2 − P(m); without either token there is none", () => {
  assertAlmostEquals(parsePreference(reply(Math.log(0.8), Math.log(0.2)), "x")!, 1.2, 1e-12);
  assertEquals(
    parsePreference(JSON.stringify({ choices: [{ logprobs: { content: [{ top_logprobs: [] }] } }] }), "x"),
    null,
  );
});

Deno.test("the judge sees each pair in its order, gets the token, and its errors name it", async () => {
  const seen: { body: string; token: string | null }[] = [];
  let status = 200;
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    seen.push({ body: await request.text(), token: request.headers.get("Authorization") });
    return new Response(reply(Math.log(0.9), Math.log(0.1)), { status });
  });
  const url = `http://127.0.0.1:${server.addr.port}/v1`;
  const row = (instruction: string, output: string, generator: string) => ({
    instruction,
    output,
    generator,
    datasplit: "eval" as const,
  });
  const base = [row("a", "base a", "base"), row("b", "base b", "base")];
  const own = [row("a", "own a", "own"), row("b", "own b", "own")];
  const judge = { url, model: "judge", token: "secret", parallel: 1 };
  const pairs = await judgePairs(base, own, judge);
  // "b" is switched: its first output, which the judge prefers, is the model's
  assertEquals(pairs.map(({ preference }) => preference!.toFixed(3)), ["1.100", "1.900"]);
  assertEquals(pairs.map(({ output_1, generator_2 }) => [output_1, generator_2]), [["base a", "own"], [
    "base b",
    "own",
  ]]);
  assertEquals(seen.map(({ token }) => token), ["Bearer secret", "Bearer secret"]);
  const prompt = JSON.parse(seen[1]!.body).messages[1].content as string;
  assertEquals(prompt.indexOf("own b") < prompt.indexOf("base b"), true);
  status = 400;
  const error = await assertRejects(() => judgePairs(base, own, judge), UnavailableError);
  assertEquals(error.message, `Judge ${url}/chat/completions must reply with status 200, got status 400`);
  const missing = await assertRejects(() => judgePairs(base.slice(1), own, judge), DataError);
  assertEquals(missing.message, "The baseline must have an output for every instruction, got none for 1");
});

/** Tests `deno task evaluate` as a command: permissions, data sets of the hub, the judge, and flags. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fakeHub } from "@/tests/support/fake_hub.ts";
import { commandOf, finish } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { projectRoot } from "./project_root.ts";

const MODEL = "fixtures/stories260k";

function evaluate(args: readonly string[], env: Record<string, string> = {}) {
  const [program, ...words] = commandOf(["evaluate", ...args]);
  return finish(
    new Deno.Command(program!, {
      args: words,
      cwd: projectRoot,
      env: { NO_COLOR: "1", ...env },
      stdout: "piped",
      stderr: "piped",
    }).spawn(),
  );
}

Deno.test("evaluate compares models, names task, version and template, and repeats its report", async () => {
  using home = new TemporaryDirectory();
  const args = [
    `a=${MODEL}`,
    `b=${MODEL}`,
    "--task",
    "gsm8k_cot_zeroshot",
    "--task",
    "ifeval",
    "--limit",
    "3",
  ];
  const more = ["--max-new-tokens", "8", "--out", home.file("out")];
  const text = await evaluate([...args, ...more]);
  assertEquals(text.code, 0, text.err);
  assertStringIncludes(
    text.out,
    "ifeval, version 4 (lm-evaluation-harness 0.4.13), 0-shot, template: plain, 3 documents",
  );
  assertStringIncludes(
    text.out,
    "b − a, exact_match,strict-match: +0.0000 [+0.0000, +0.0000], no significant difference",
  );
  const files = Array.from(Deno.readDirSync(home.file("out")), ({ name }) => name).sort();
  assertEquals(files, [
    "gsm8k_cot_zeroshot.a.jsonl",
    "gsm8k_cot_zeroshot.b.jsonl",
    "ifeval.a.jsonl",
    "ifeval.b.jsonl",
    "report.json",
  ]);
  const json = await evaluate([...args, ...more, "--json"]);
  assertEquals(
    JSON.parse(json.out).tasks,
    JSON.parse(Deno.readTextFileSync(home.file("out/report.json"))).tasks,
  );
});

Deno.test("evaluate takes data sets of the hub, and writes AlpacaEval's outputs and the judge's annotations", async () => {
  using home = new TemporaryDirectory();
  const rows = ["Say hello.", "Name a colour."].map((instruction) => ({ instruction, dataset: "own" }));
  await using hub = fakeHub({ "alpaca_eval.json": JSON.stringify(rows), "README.md": "x" });
  const seen: (string | null)[] = [];
  await using judge = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    await request.text();
    seen.push(request.headers.get("Authorization"));
    const top = [{ token: "m", logprob: -0.1 }, { token: "M", logprob: -2.4 }];
    return Response.json({ choices: [{ logprobs: { content: [{ top_logprobs: top }] } }] });
  });
  const host = `127.0.0.1:${judge.addr.port}`, baseline = home.file("baseline.json");
  Deno.writeTextFileSync(
    baseline,
    JSON.stringify(rows.map((row) => ({ ...row, output: "x", generator: "base" }))),
  );
  const { code, out, err } = await evaluate([
    `own=${MODEL}`,
    ...["--task", "alpaca_eval", "--data", "alpaca_eval=hf:datasets/org/tiny@main", "--max-new-tokens", "8"],
    ...["--judge-url", `http://${host}/v1`, "--baseline", baseline, "--out", home.file("out")],
    ...["--hub-cache", home.file("cache")],
  ], { HF_ENDPOINT: hub.endpoint, SRPPO_URL_TOKEN: `${host}=secret` });
  assertEquals(code, 0, err);
  assertStringIncludes(out, "own: win rate ");
  assertStringIncludes(out, "length-controlled win rate (length_controlled_minimal)");
  assertEquals(seen, ["Bearer secret", "Bearer secret"]);
  const outputs = JSON.parse(Deno.readTextFileSync(home.file("out/alpaca_eval.own.json")));
  assertEquals(Object.keys(outputs[0]).sort(), [
    "dataset",
    "datasplit",
    "generator",
    "instruction",
    "output",
  ]);
  const annotations = JSON.parse(
    Deno.readTextFileSync(join(home.file("out"), "alpaca_eval.own.annotations.json")),
  );
  assertEquals(annotations.map((row: { generator_1: string }) => row.generator_1), ["base", "base"]);
});

Deno.test("evaluate warns where demonstrations and own rows share 13-grams, and computes best-of-n and perplexity", async () => {
  using home = new TemporaryDirectory();
  const story = "Once upon a time there was a little girl named Lily who loved to play outside in the park";
  const rows = home.file("rows.jsonl"), demos = home.file("demos.jsonl"), texts = home.file("texts.jsonl");
  Deno.writeTextFileSync(rows, `${JSON.stringify({ prompt: story, regex: "[a-z]" })}\n`);
  Deno.writeTextFileSync(demos, `${JSON.stringify({ prompt: story, response: "The end." })}\n`);
  Deno.writeTextFileSync(texts, `${JSON.stringify({ text: story })}\n`);
  const { code, out, err } = await evaluate([
    MODEL,
    ...[
      "--task",
      rows,
      "--samples",
      "3",
      "--temperature",
      "1",
      "--demonstrations",
      demos,
      "--perplexity",
      texts,
      "--json",
    ],
  ]);
  assertEquals(code, 0, err);
  assertStringIncludes(err, `Warning: 1 of 1 documents of rows share a 13-gram with ${demos}, first rows: 1`);
  const report = JSON.parse(out);
  assertEquals(report.tasks[0].models[0].best_of_n.correct, [1, 1, 1]);
  assertEquals(report.perplexity.stories260k.tokens > 10, true);
});

Deno.test("all problems of evaluate's flags are in one message", async () => {
  const { code, err } = await evaluate([
    `a=${MODEL}`,
    `a=${MODEL}`,
    "--samples",
    "2",
    "--judge-url",
    "x",
    "--data",
    "y",
  ]);
  assertEquals(code, 64);
  assertEquals(
    err.trim(),
    "Invalid flags (see --help): names of models must differ (use NAME=MODEL), got twice a; --task is required; " +
      "--data must be NAME=PATH with the name of a task, got y; --samples above 1 requires --temperature above 0, got 0; " +
      "--judge-url must be an http or https address, got x; --judge-url requires --baseline",
  );
});

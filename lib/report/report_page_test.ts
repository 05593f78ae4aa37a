import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { axisOf } from "./axis_ticks.ts";
import { exampleReport, exampleRewards, exampleSamples } from "@/tests/report/example_report.ts";
import { escapeHtml, markup } from "./html.ts";
import { reportPage } from "./report_page.ts";
import { splitByWords } from "./split_by_words.ts";

const EVIL = `<script>alert("x")</script>&<img src=x onerror='y'>`;

/** Names of the elements that `page` opens, in order of their first use. */
function elements(page: string): Set<string> {
  return new Set([...page.matchAll(/<([a-z][a-z0-9]*)/gi)].map((m) => m[1]!.toLowerCase()));
}

Deno.test("reportPage() is one file that loads nothing and lets only its own script run", async () => {
  const page = await reportPage(exampleReport());
  assert(page.trimStart().startsWith("<!doctype html>"));
  assertEquals(/\b(?:src|href|srcset|action)\s*=|@import|url\(/i.exec(page), null);
  const script = /<script>([\s\S]*)<\/script>/.exec(page)![1]!;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script)));
  assertStringIncludes(page, `script-src &#39;sha256-${digest.toBase64()}&#39;`);
  assertEquals(page.match(/<script/g)!.length, 1);
});

Deno.test("reportPage() shows the headline, every model, every curve and every response", async () => {
  const report = exampleReport();
  const page = await reportPage(report);
  assertStringIncludes(page, `<h1>${report.headline}</h1>`);
  for (const model of ["base", "SFT", "continued SFT", "SRPPO"]) {
    assertStringIncludes(page, `<th scope="col">${model}</th>`);
  }
  for (
    const title of [
      "Trained reward",
      "KL to SFT",
      "Response length",
      "EOS rate",
      "Entropy",
      "Explained variance",
      "Clip fraction",
      "Training loss",
    ]
  ) assertStringIncludes(page, `<b>${title}</b>`);
  assertEquals(page.match(/<svg /g)!.length, 8);
  assertStringIncludes(page, "<mark>Lucy</mark> loved the <mark>book</mark> very much.");
  for (
    const [name, value] of [
      ["SFT", "252 updates"],
      ["members SFT", "2 × 252 updates"],
      ["continued", "136 updates"],
      ["PPO", "20 iterations, 136 updates"],
    ]
  ) assertStringIncludes(page, `<dt>${name}</dt><dd>${value}</dd>`);
  const [{ warnings: [warning], sentences: [sentence] }] = exampleRewards() as [
    ReturnType<typeof exampleRewards>[number],
  ];
  assertStringIncludes(page, `<p><b>Warning:</b> ${warning}</p>`);
  assertStringIncludes(page, `<p>${sentence}</p>`);
  const name = "ean of 4 members, floor −4, token cap 1, EOS bound 10.";
  assertStringIncludes(page, `<p>M${name}</p>`);
  assertStringIncludes(page, `Trained reward: m${name}`);
});

const BENCHMARK = {
  model: "srppo",
  task: "ifeval",
  version: "4",
  template: "plain",
  metric: "prompt_level_strict_acc",
  mean: 0.5,
  stderr: 0.02,
  n: 540,
};

Deno.test("benchmarks have a table with task, version, template and 95 % intervals, escaped; without them there is none", async () => {
  const page = await reportPage(
    exampleReport({ benchmarks: [BENCHMARK, { ...BENCHMARK, task: EVIL, mean: 0.01 }] }),
  );
  assertEquals(page.includes("ifeval, version 4, template: plain"), true);
  assertEquals(page.includes("0.500 <small>0.461 – 0.539</small>"), true);
  assertEquals(page.includes("0.010 <small>0.000 – 0.049</small>"), true);
  assertEquals(page.includes(EVIL), false);
  assertEquals((await reportPage(exampleReport())).includes("<h2>Benchmarks</h2>"), false);
});

Deno.test("reportPage() escapes whatever comes from a run", async () => {
  const clean = await reportPage(exampleReport());
  const samples = exampleSamples().map((s) => ({
    ...s,
    prompt: EVIL,
    response: EVIL,
    words: ["script", "<img"],
  }));
  const report = exampleReport({ samples });
  const page = await reportPage({
    ...report,
    manifest: EVIL,
    headline: EVIL,
    comparison: report.comparison.map((r) => ({ ...r, model: r.model === "srppo" ? EVIL : r.model })),
    iterations: report.iterations.map((r) => Object.assign({ ...r }, { block: EVIL })),
    training: report.training.map((r) => ({ ...r, stage: EVIL })),
    timings: report.timings.map((r) => ({ ...r, uses: EVIL })),
    outputs: { [EVIL]: EVIL },
    parameters: { [EVIL]: { [EVIL]: EVIL } },
    environment: { ...report.environment, os: EVIL, instruction_set: EVIL },
  });
  assertEquals([...elements(page)].filter((name) => !elements(clean).has(name)), []);
  assertEquals(page.match(/<script/g)!.length, 1);
  assertEquals(page.includes("<img"), false);
  assertStringIncludes(
    page,
    "<h1>&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&lt;img src=x onerror=&#39;y&#39;&gt;</h1>",
  );
});

Deno.test("reportPage() leaves out what a run does not have", async () => {
  const none = exampleReport({ comparison: [], samples: [], metrics: new Map() });
  const page = await reportPage({ ...none, iterations: [], training: [] });
  assertStringIncludes(page, "<h1>Run finished; no models were compared</h1>");
  for (
    const absent of [
      "Comparison</h2>",
      "Training</h2>",
      "Responses</h2>",
      "<svg",
      "NaN",
      "undefined",
      "Infinity",
    ]
  ) {
    assertEquals([absent, page.includes(absent)], [absent, false]);
  }
  assertStringIncludes(page, "Setup</h2>");
});

Deno.test("reportPage() without a checker gives no verdict and shows responses without marks", async () => {
  const report = exampleReport();
  const comparison = report.comparison.filter((r) => !["score", "both_words"].includes(r.metric));
  const samples = exampleSamples().map((s) => ({ ...s, words: [], scores: {} }));
  const page = await reportPage(exampleReport({ comparison, samples }));
  assertStringIncludes(
    page,
    "<h1>No verdict, as only the trained reward was measured, which PPO maximizes: ",
  );
  assertEquals(page.includes("<mark>"), false);
  assertStringIncludes(page, "Lucy loved the book very much.");
});

Deno.test("markup`` escapes strings, keeps markup, joins lists and drops undefined", () => {
  const part = markup`<b>${"<"}</b>`;
  assertEquals(markup`a${part}${["&", 1, part]}${undefined}z`.markup, "a<b>&lt;</b>&amp;1<b>&lt;</b>z");
});

Deno.test("escapeHtml() leaves no markup and no forbidden control character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      // deno-lint-ignore no-control-regex -- control characters are what is looked for
      return !/[<>"'\x00-\x08\x0b\x0c\x0e-\x1f]/.test(escapeHtml(text));
    }),
    { seed: 3 },
  );
});

Deno.test("splitByWords() finds whole words of the same case only", () => {
  const found = splitByWords("A book, two books, Book and notebook; book", ["book"]).filter((p) => p.isWord);
  assertEquals(found.length, 2);
  assertEquals(splitByWords("Zoë met Zo.", ["Zo"]), [
    { text: "Zoë met ", isWord: false },
    { text: "Zo", isWord: true },
    { text: ".", isWord: false },
  ]);
  assertEquals(splitByWords("a.c abc", ["a.c"]).map((p) => p.isWord), [true, false]);
});

Deno.test("splitByWords() loses and adds nothing", () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.string()), (text, words) => {
      return splitByWords(text, words).map((p) => p.text).join("") === text;
    }),
    { seed: 4 },
  );
});

Deno.test("axisOf() holds all values between round ticks", () => {
  assertEquals(axisOf([0, 4.07]), { low: 0, high: 6, ticks: [0, 2, 4, 6], digits: 0 });
  assertEquals(axisOf([]).ticks.length > 1, true);
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 }), (values) => {
      const axis = axisOf(values);
      const slack = 1e-6 * (axis.high - axis.low);
      assert(axis.high > axis.low && axis.ticks.length <= 8, JSON.stringify(axis));
      assert(values.every((v) => v >= axis.low - slack && v <= axis.high + slack), JSON.stringify(axis));
    }),
    { seed: 5 },
  );
});

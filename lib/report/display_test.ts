import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { createDisplay } from "./display.ts";
import { exampleEvents } from "@/tests/report/example_run.ts";

/** Returns what a display writes for `events`, in one piece and by event. */
function shown(events: readonly RunEvent[], options: { json: boolean; terminal: boolean; columns?: number }) {
  const pieces: string[] = [];
  let piece = "";
  const display = createDisplay({ columns: 90, ...options, write: (text) => piece += text });
  for (const event of events) {
    display.event(event);
    pieces.push(piece);
    piece = "";
  }
  display.end();
  return { pieces, all: pieces.join("") + piece };
}

/** Returns the lines that a terminal shows after `text`; knows only the codes that the display uses. */
function screen(text: string): string[] {
  const lines = [""];
  let row = 0;
  for (let i = 0; i < text.length;) {
    // deno-lint-ignore no-control-regex -- the terminal's own codes
    const code = /^\x1b\[(?:\?7[lh]|(\d*)([AJm]))/.exec(text.slice(i));
    if (code !== null) {
      if (code[2] === "A") row -= Number(code[1]);
      if (code[2] === "J") lines.splice(row, Infinity, "");
      i += code[0].length;
      continue;
    }
    const c = text[i++]!;
    assert(c !== "\x1b", `an unknown control code at ${JSON.stringify(text.slice(i - 1, i + 8))}`);
    if (c === "\n") lines[++row] ??= "";
    else if (c !== "\r") lines[row] += c;
  }
  return lines;
}

Deno.test("createDisplay() with json writes every event as one JSON line and nothing else", () => {
  const events = exampleEvents();
  const { all } = shown(events, { json: true, terminal: true });
  assertEquals(all.trimEnd().split("\n").map((line) => JSON.parse(line)), events);
});

Deno.test("createDisplay() without a terminal writes plain lines without control codes", () => {
  const { all } = shown(exampleEvents({ iterations: 3 }), { json: false, terminal: false });
  assertEquals(all.includes("\x1b"), false);
  assertEquals(all.includes("\r"), false);
  assertEquals(all.split("\n"), [
    "pipelines/quickstart.yaml → runs/quickstart  16 stages, seed 0, 2 threads, executor inline",
    "  estimated memory: 410 MB (7.2 GB available); disk: 65.0 MB (41.0 GB available)",
    "tokenize: started",
    "✓ tokenize         2.0 s",
    "sft: started",
    "sft: step 2/4, loss 1.000, 15,400 tokens/s, 6.0 s left",
    "✓ sft              12 s",
    "members.sft[0]: started",
    "members.sft[0]: step 2/4, loss 1.000, 15,400 tokens/s, 6.0 s left",
    "✓ members.sft[0]   12 s",
    "members.sft[1]: started",
    "members.sft[1]: step 2/4, loss 1.000, 15,400 tokens/s, 6.0 s left",
    "✓ members.sft[1]   12 s",
    "reward: started",
    "✓ reward           2.0 s",
    "PPO iteration 1/3: reward 32.00, KL to SFT 0.00, response length 40.6, EOS rate 95.0 %, 2,310 tokens/s, 12 s left",
    "PPO iteration 2/3: reward 35.32, KL to SFT 1.06, response length 41.5, EOS rate 96.5 %, 2,310 tokens/s, 6.0 s left",
    "PPO iteration 3/3: reward 36.90, KL to SFT 4.00, response length 39.4, EOS rate 93.0 %, 2,310 tokens/s",
    "continued: started",
    "continued: step 2/4, loss 1.000, 15,400 tokens/s, 6.0 s left",
    "✓ continued        12 s",
    "eval: started",
    "✓ eval             2.0 s",
    "✓ done in 1 min 12 s: 16 stages ran, 0 cached",
    "",
  ]);
});

Deno.test("createDisplay() without a terminal shows progress at most every five seconds", () => {
  const [start] = exampleEvents();
  const node = { stage: "sft", uses: "sft" };
  const events: RunEvent[] = [start!, {
    type: "stage_started",
    time: start!.time,
    ...node,
    key: "k",
    reason: "",
  }];
  for (let step = 1; step <= 1000; step++) {
    events.push({ type: "stage_progress", time: start!.time + 20 * step, ...node, step, total: 1000 });
  }
  const { all } = shown(events, { json: false, terminal: false });
  assertEquals(all.split("\n").filter((line) => line.startsWith("sft: step")), [
    "sft: step 250/1,000, 15 s left",
    "sft: step 500/1,000, 10 s left",
    "sft: step 750/1,000, 5.0 s left",
    "sft: step 1,000/1,000",
  ]);
});

Deno.test("createDisplay() on a terminal leaves finished stages, the table of iterations and the curves", () => {
  const { all } = shown(exampleEvents({ iterations: 3 }), { json: false, terminal: true });
  assertEquals(screen(all), [
    "pipelines/quickstart.yaml → runs/quickstart  16 stages, seed 0, 2 threads, executor inline",
    "  estimated memory: 410 MB (7.2 GB available); disk: 65.0 MB (41.0 GB available)",
    "✓ tokenize         2.0 s",
    "✓ sft              12 s",
    "✓ members.sft[0]   12 s",
    "✓ members.sft[1]   12 s",
    "✓ reward           2.0 s",
    "PPO iteration  reward  KL to SFT  response length  EOS rate  tokens/s  time left",
    "          1/3   32.00       0.00             40.6    95.0 %     2,310       12 s",
    "          2/3   35.32       1.06             41.5    96.5 %     2,310      6.0 s",
    "          3/3   36.90       4.00             39.4    93.0 %     2,310          –",
    "  reward    ▁▁▁▆▆▆███  32.00 → 36.90",
    "  KL to SFT ▁▁▁▃▃▃███  0.00 → 4.00",
    "✓ continued        12 s",
    "✓ eval             2.0 s",
    "✓ done in 1 min 12 s: 16 stages ran, 0 cached",
    "",
  ]);
});

Deno.test("createDisplay() on a terminal shows a running stage with bar, loss, speed and time left", () => {
  const events = exampleEvents();
  const at = events.findIndex((e) => e.type === "stage_progress" && e.stage === "sft" && e.step === 2);
  const { pieces } = shown(events, { json: false, terminal: true });
  const live = screen(pieces.slice(0, at + 1).join("")).at(-2)!;
  assertEquals(
    live.slice(2),
    "sft              ━━━━━━━━━━────────── 2/4  loss 1.000  15,400 tokens/s  6.0 s left",
  );
});

Deno.test("createDisplay() on a terminal folds cached stages into one line and keeps its curves", () => {
  const { all } = shown(exampleEvents({ iterations: 3, cachedIterations: 3 }), {
    json: false,
    terminal: true,
  });
  assertEquals(screen(all).slice(2), [
    "● 15 stages cached: tokenize, sft, members.sft ×2, reward, PPO iterations 1–3, continued",
    "  reward    ▁▁▁▆▆▆███  32.00 → 36.90",
    "  KL to SFT ▁▁▁▃▃▃███  0.00 → 4.00",
    "✓ eval             2.0 s",
    "✓ done in 2.0 s: 1 stage ran, 15 cached",
    "",
  ]);
});

Deno.test("createDisplay() shows why a loop ended, a failed stage and a stopped run", () => {
  const events = exampleEvents({ iterations: 3 }).slice(0, -13);
  const time = events.at(-1)!.time;
  const failed = { stage: "ppo.update", uses: "ppo-update", iteration: 2 };
  events.push(
    { type: "loop_ended", time, block: "ppo", iteration: 1, reason: "update.metrics.stopped is 1" },
    { type: "stage_failed", time, ...failed, message: "training failed\nmore", exit_code: 70 },
    { type: "run_stopped", time, message: "stopped on request" },
  );
  for (const terminal of [false, true]) {
    const text = screen(shown(events, { json: false, terminal }).all).join("\n");
    assertStringIncludes(text, "● PPO ended after 2 iterations: update.metrics.stopped is 1\n");
    assertStringIncludes(text, "✗ ppo.update iteration 3: training failed\n");
    assertStringIncludes(text, "■ stopped on request\n");
  }
});

Deno.test("createDisplay() keeps a stage's warning on the screen, with its iteration", () => {
  const events = exampleEvents({ iterations: 3 }).slice(0, -13), time = events.at(-1)!.time;
  const update = { stage: "ppo.update", uses: "ppo-update", iteration: 2 };
  events.push(
    { type: "stage_progress", time, ...update, warning: "the reward rose while responses grew" },
    { type: "stage_progress", time, ...update, step: 1, total: 4 },
    { type: "run_stopped", time, message: "stopped on request" },
  );
  for (const terminal of [false, true]) {
    const text = screen(shown(events, { json: false, terminal }).all).join("\n");
    assertStringIncludes(text, "! ppo.update iteration 3: the reward rose while responses grew\n");
  }
});

Deno.test("createDisplay() shows the warnings of cached stages after the line that names them", () => {
  const events = exampleEvents({ iterations: 3, cachedIterations: 2 });
  const second = events.findIndex((e) =>
    e.type === "stage_cached" && e.uses === "ppo-update" && e.iteration === 1
  );
  events[second] = { ...events[second]!, warnings: ["responses grew", "KL left its band"] } as RunEvent;
  for (const terminal of [false, true]) {
    const lines = screen(shown(events, { json: false, terminal }).all);
    const at = lines.findIndex((line) => line.startsWith("! "));
    assertStringIncludes(lines[at - 1]!, " cached: ");
    assertEquals(lines.slice(at, at + 2), [
      "! ppo.update iteration 2: responses grew (cached)",
      "! ppo.update iteration 2: KL left its band (cached)",
    ]);
  }
});

Deno.test("createDisplay() shows the score of an evaluation in a loop when it is made, and the best iteration", () => {
  const node = { stage: "ppo.eval", uses: "eval", role: "evaluate", iteration: 4, time: 0 } as const;
  const row = { model: "policy", mode: "greedy", stderr: 0, n: 3 } as const;
  const evals = {
    ...node,
    type: "evals",
    rows: [
      { ...row, metric: "reward", mean: 12 },
      { ...row, metric: "score", mean: 0.75 },
      { ...row, mode: "sampled", metric: "score", mean: 0.5 },
    ],
  } as const;
  const best = {
    type: "loop_best",
    time: 0,
    block: "ppo",
    iteration: 4,
    metric: "eval.score",
    value: 0.75,
  } as const;
  const lines = (events: readonly RunEvent[]) =>
    shown(events, { json: false, terminal: false }).all.split("\n");
  assertEquals(lines([{ ...node, type: "stage_finished", key: "k", seconds: 1, outputs: {} }, evals, best]), [
    "● PPO iteration 5 evaluated: score 0.750 (policy, greedy), 0.500 (policy, sampled)",
    "● Best PPO iteration: 5 (eval.score = 0.750)",
    "",
  ]);
  assertEquals(lines([{ ...node, type: "stage_cached", key: "k", seconds: 1 }, evals]), [
    "● 1 stage cached: PPO iteration 5",
    "",
  ]);
});

Deno.test("createDisplay() shows an iteration whose metrics come after its last stage", () => {
  const events = exampleEvents({ iterations: 1 });
  const order = events.map((e) => e.type);
  assert(order.lastIndexOf("metrics") > order.indexOf("stage_finished"), "the example has metrics last");
  const { all } = shown(events, { json: false, terminal: false });
  assertEquals(all.match(/PPO iteration 1\/1: reward 32\.00/g)?.length, 1);
});

Deno.test("createDisplay() on a terminal keeps its block low when many stages run, and erases multi-line messages", () => {
  const [start] = exampleEvents();
  const events: RunEvent[] = [start!];
  for (let index = 0; index < 12; index++) {
    const node = { stage: "members.sft", uses: "sft", index };
    events.push({ type: "stage_started", time: start!.time, ...node, key: "k", reason: "" });
    events.push({
      type: "stage_progress",
      time: start!.time + 200 * index,
      ...node,
      message: "compiling\nblock 1",
    });
  }
  const { pieces, all } = shown(events, { json: false, terminal: true });
  const live = screen(pieces.join(""));
  assertEquals(live.length, 1 + 8 + 1 + 1);
  assertStringIncludes(live[1]!, "members.sft[0]   2.2 s  compiling");
  assertEquals(live.at(-2), "  and 4 more stages");
  assertEquals(screen(all).length, 2);
});

Deno.test("control and bidirectional characters of stage names, reasons and messages are shown as escapes", () => {
  const evil = "a\x1b[2J\u202eb", harmless = "a\\u001b[2J\\u202eb";
  const events = exampleEvents().map((event) =>
    "stage" in event
      ? { ...event, stage: event.stage.replace("sft", evil), ...("reason" in event ? { reason: evil } : {}) }
      : event.type === "run_started"
      ? { ...event, manifest: evil, run_dir: evil }
      : event
  ) as RunEvent[];
  const failed = {
    ...events.find(({ type }) => type === "stage_finished")!,
    type: "stage_failed",
    message: evil,
  };
  for (const options of [{ terminal: false }, { terminal: true }]) {
    const { all } = shown([...events, failed as unknown as RunEvent], { json: false, ...options });
    // deno-lint-ignore no-control-regex -- the display's own codes
    const own = /\x1b\[(?:\?7[lh]|[\d;]*[AJm])|[\r\n]/g;
    const foreign = all.replaceAll(own, (code) => code.endsWith("2J") ? "!" : "");
    assertStringIncludes(all, harmless);
    // deno-lint-ignore no-control-regex -- what must not be left
    assertEquals(/[\x00-\x1f\x7f-\x9f\u202e!]/.test(foreign), false);
  }
  const { all } = shown(events, { json: true, terminal: true });
  assert(!/\u202e/.test(all));
  assertEquals(all.trimEnd().split("\n").map((line) => JSON.parse(line)), events);
});

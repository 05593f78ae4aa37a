/** Tests what terminal and report show about learning rates and validation losses. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { NodeName, RunEvent } from "@/lib/data/contracts/events.ts";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { EXAMPLE_ENVIRONMENT, exampleResult } from "@/tests/report/example_report.ts";
import { buildReport } from "./build_report.ts";
import { createDisplay } from "./display.ts";
import { reportPage } from "./report_page.ts";
import { rateText } from "./training_text.ts";

const SFT: NodeName = { stage: "sft", uses: "sft", role: "train" };
const TRIALS = [[1e-5, 2.5], [3e-4, 1.25], [1e-3, undefined]] as const;
const LOSSES = [[10, 2], [20, 1], [30, 1.5]] as const;

/** Events of a training with three trials and three validation losses. */
function events(): RunEvent[] {
  let time = 0;
  const progress = (fields: Record<string, number>, step?: number): RunEvent => ({
    type: "stage_progress",
    time: time += 100,
    ...SFT,
    ...(step === undefined ? {} : { step, total: 40 }),
    fields,
  });
  const values = {
    loss: 1.1,
    updates: 30,
    peak_lr: 3e-4,
    trial_updates: 90,
    best_step: 20,
    best_validation_loss: 1,
  };
  return [
    { type: "stage_started", time, ...SFT, key: "k", reason: "" },
    ...TRIALS.map(([trial_lr, trial_loss]) =>
      progress({ trial_lr, ...(trial_loss === undefined ? {} : { trial_loss }) })
    ),
    ...LOSSES.map(([step, validation_loss]) => progress({ validation_loss }, step)),
    { type: "stage_finished", time, ...SFT, key: "k", seconds: 12, outputs: {} },
    { type: "metrics", time, ...SFT, values },
  ];
}

Deno.test("the terminal shows trials of learning rates and the validation curve below a finished training", () => {
  for (const terminal of [false, true]) {
    let text = "";
    const display = createDisplay({ json: false, terminal, columns: 120, write: (piece) => text += piece });
    for (const event of events()) display.event(event);
    display.end();
    // deno-lint-ignore no-control-regex -- colours of the terminal
    const plain = text.replaceAll(/\x1b\[[0-9;]*m/g, "");
    assertStringIncludes(
      plain,
      "  learning rate  1e-5 2.500, 3e-4 1.250 (chosen), 0.001 diverged  validation loss of trials, 90 updates\n" +
        "  validation loss  ███▁▁▁▅▅▅  2.000 → 1.500, best 1.000 after 20 of 30 updates\n",
    );
  }
});

Deno.test("a training without trials and validation losses has no further lines", () => {
  let text = "";
  const display = createDisplay({ json: false, terminal: false, write: (piece) => text += piece });
  for (const event of events().filter(({ type }) => type !== "stage_progress")) display.event(event);
  display.end();
  assertEquals(text, "sft: started\n✓ sft              12 s\n");
});

Deno.test("the report has validation losses, trials, and the updates of trials among the updates", async () => {
  const { result, metrics } = exampleResult();
  const own: MetricRow[] = [
    ...Array.from({ length: 30 }, (_, step) => ({ step, name: "loss", value: 2 })),
    ...LOSSES.map(([step, value]) => ({ step, name: "validation_loss", value })),
    { step: 30, name: "updates", value: 30 },
    { step: 30, name: "best_step", value: 20 },
    { step: 30, name: "best_validation_loss", value: 1 },
    { step: 30, name: "peak_lr", value: 3e-4 },
    ...TRIALS.flatMap(([lr, loss], step) => [
      { step, name: "trial_lr", value: lr },
      ...(loss === undefined ? [] : [{ step, name: "trial_loss", value: loss }]),
    ]),
    { step: 30, name: "trial_updates", value: 90 },
  ];
  const nodes = new Map([...metrics].map(([key, rows]) => [key, key.stage === "sft" ? own : rows]));
  const tables = {
    comparison: [],
    evaluations: [],
    samples: [],
    metrics: nodes,
    rewards: [],
    differences: [],
    benchmarks: [],
  };
  const report = buildReport(result, tables, { events: [], environment: EXAMPLE_ENVIRONMENT });
  assertEquals(
    report.validation,
    LOSSES.map(([step, loss]) => ({ stage: "sft", index: null, step, loss, best: step === 20 })),
  );
  assertEquals(
    report.learning_rates,
    TRIALS.map(([lr, loss]) => ({
      stage: "sft",
      index: null,
      lr,
      loss: loss ?? null,
      chosen: lr === 3e-4,
    })),
  );
  assertEquals(report.updates.find(({ stage }) => stage === "sft")?.updates, 120);
  const page = await reportPage(report);
  assertStringIncludes(page, "sft uses the weights after update 20.");
  assertStringIncludes(page, "<td>3e-4 (chosen)</td><td>1.250</td>");
});

Deno.test("rateText() is short for every learning rate", () => {
  assertEquals([1e-5, 4.5e-6, 3e-4, 1e-3, 0.00015 * 1.0000001, 0.03].map(rateText), [
    "1e-5",
    "4.5e-6",
    "3e-4",
    "0.001",
    "1.5e-4",
    "0.03",
  ]);
});

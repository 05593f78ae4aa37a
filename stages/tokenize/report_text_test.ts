/** The report as text for the terminal. @module */
import { assertEquals } from "@std/assert";
import { reportText, type ShownReport } from "./report_text.ts";

const lengths = { min: 1, p25: 2, p50: 9, p75: 9, p90: 9, p99: 12, max: 14 };
const report: ShownReport = {
  train: {
    rows: 1000,
    repeated_rows: 3,
    distinct_prompts: 541,
    dropped: 2,
    unsupervised: 1,
    truncated: 0,
    boundary_splits: 4,
    tokens: 90210,
    supervised_tokens: 50000,
    length: lengths,
    prompt_length: lengths,
    response_length: lengths,
  },
  validation: null,
  prompts: { rows: 768, repeated_rows: 0, in_train: 0, dropped: 0, truncated: 0, prompt_length: lengths },
  eval_prompts: null,
  examples: [{
    id: "d0",
    source: "demonstrations:1",
    segments: [
      { mask: 0, tokens: 2, text: "<s> Hi\n" },
      { mask: 1, tokens: 3, text: `Yes\x1b[2J\nno</s>` },
      { mask: 0, tokens: 1, text: "x".repeat(500) },
    ],
  }],
};

Deno.test("without colours, supervised tokens are between brackets, and control characters are replaced", () => {
  assertEquals(
    reportText(report, { colors: false }),
    [
      "         rows  repeated  dropped  empty  truncated  split  tokens  supervised  p50  p99  max",
      "train    1000         3        2      1          0      4   90210       50000    9   12   14",
      "prompts   768         0        0                 0                               9   12   14",
      "d0",
      "<s> Hi",
      `⟦Yes␛[2J`,
      `no</s>⟧${"x".repeat(200)} … ${"x".repeat(200)}`,
    ].join("\n"),
  );
});

Deno.test("with colours, supervised tokens are green on every line", () => {
  const lines = reportText(report, { colors: true }).split("\n");
  assertEquals(lines[4], "\x1b[2m<s> Hi\x1b[22m");
  assertEquals(lines[5], "\x1b[32mYes␛[2J\x1b[39m");
  assertEquals(lines[6]!.startsWith("\x1b[32mno</s>\x1b[39m\x1b[2mxxx"), true);
});

/**
 * The text at the end of a run: the result, the table of models, three prompts with each model's response, times, and
 * the paths of the files.
 * @module
 */
import { escapeBidirectional } from "@/lib/compute/tensor/control_characters.ts";
import Table from "cli-table3";
import { bestOf, DECODING, find, modelsOf, MODES } from "./comparison.ts";
import { counted, decimal, displayName, duration } from "./format.ts";
import { betterArrow, inOrder, metricSpread, shortLabel } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Width at which lines wrap. */
const COLUMNS = 100;
const PROMPTS = 3;
/** Characters of a response that are shown; the report has all of it. */
const LONGEST = 320;

/** Returns the comparison as a table: a row per metric, a column per model, one part per decoding mode. */
function comparisonTable({ comparison, rewards }: Report): string {
  const models = modelsOf(comparison);
  if (models.length === 0) return "";
  const table = new Table({
    head: ["", ...models.map(displayName)],
    colAligns: ["left", ...models.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const mode of MODES) {
    const rows = comparison.filter((r) => r.mode === mode);
    if (rows.length === 0) continue;
    const responses = counted(largest(rows.map((r) => r.n)), "response");
    table.push([{
      colSpan: models.length + 1,
      content: `${DECODING[mode]}, ${responses} each`,
    }]);
    for (const metric of inOrder(rows.map((r) => r.metric))) {
      const best = bestOf(rows.filter((r) => r.metric === metric));
      table.push([
        `${shortLabel(metric)}${betterArrow(metric)}`,
        ...models.map((model) => {
          const row = find(rows, { model, mode, metric });
          if (row === undefined) return "";
          const text = metricSpread(metric, row.mean, row.stderr);
          return best.has(row) ? `${text} *` : `${text}  `;
        }),
      ]);
    }
  }
  const names = comparison.some(({ metric }) => metric === "reward") ? rewards : [];
  return [
    table.toString(),
    "* best of its row; mean ± one standard error over the evaluation prompts of this run, if it is known",
    ...names.map(({ stage, name }) =>
      wrapped(`trained reward${names.length > 1 ? ` (${stage})` : ""}: ${name}`, {
        width: COLUMNS,
        indent: "  ",
      })
    ),
  ].join("\n");
}

/** Returns the results on benchmarks as a table: a row per task and metric, a column per model. */
function benchmarkLines({ benchmarks }: Report): string {
  if (benchmarks.length === 0) return "";
  const models = [...new Set(benchmarks.map(({ model }) => model))];
  const table = new Table({
    head: ["", "n", ...models.map(displayName)],
    colAligns: ["left", "right", ...models.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  const lines = Map.groupBy(
    benchmarks,
    ({ task, version, template, metric }) => `${task} ${version}, ${template}: ${metric}`,
  );
  for (const [name, rows] of lines) {
    const cells = models.map((model) => {
      const row = rows.find((found) => found.model === model);
      return row === undefined ? "" : `${row.mean.toFixed(3)} ± ${row.stderr.toFixed(3)}`;
    });
    table.push([harmless(name), String(rows[0]!.n), ...cells]);
  }
  return `${table.toString()}\nbenchmarks: mean ± one standard error over documents`;
}

/** Returns `text` in lines of at most `width` characters, broken at spaces; all but the first begin with `indent`. */
function wrapped(text: string, options: { readonly width: number; readonly indent: string }): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/[ \t\n]+/)) {
    if (line !== "" && line.length + 1 + word.length > options.width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${options.indent}`);
}

/** Replaces control characters of a model's text, which a terminal would execute. */
function harmless(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are replaced
  return escapeBidirectional(text).replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "�");
}

function responses(report: Report): string {
  const mode = MODES.find((m) => report.samples.some((s) => s.mode === m));
  const samples = report.samples.filter((s) => s.mode === mode);
  const ids = [...new Set(samples.map((s) => s.prompt_id))].slice(0, PROMPTS);
  const models = modelsOf(samples);
  const label = largest(models.map((m) => displayName(m).length), 0) + 4;
  const layout = { width: Math.max(30, COLUMNS - label), indent: " ".repeat(label) };
  return ids.map((id) => {
    const own = samples.filter((s) => s.prompt_id === id);
    const prompt = wrapped(harmless(own[0]!.prompt.trim()), { width: COLUMNS, indent: "" });
    const lines = models.flatMap((model) => {
      const sample = own.find((s) => s.model === model);
      if (sample === undefined) return [];
      const response = harmless(sample.response.trim());
      const isWhole = response.length <= LONGEST && sample.finish_reason !== "length";
      const text = `${wrapped(response.slice(0, LONGEST), layout)}${isWhole ? "" : " …"}`;
      return [`  ${displayName(model).padEnd(label - 4)}  ${text}`];
    });
    return [prompt, ...lines].join("\n");
  }).join("\n\n");
}

/** Returns what is known about the rewards, for a run that ends before there are models to compare. */
function rewards(report: Report): string {
  if (report.comparison.length > 0) return "";
  const line = (text: string) => `  ${wrapped(text, { width: COLUMNS - 2, indent: "  " })}`;
  return report.rewards.map(({ stage, sentences, warnings }) =>
    [stage, ...sentences.map(line), ...warnings.map((warning) => line(`Warning: ${warning}`))].join("\n")
  ).join("\n\n");
}

function times(report: Report): string {
  const parts = report.phases.map(({ uses, seconds, stages }) =>
    `${uses}${stages > 1 ? ` ×${decimal(stages, 0)}` : ""} ${duration(seconds)}`
  );
  const cached = report.timings.filter((t) => t.cached).length;
  const store = cached === 0
    ? ""
    : `, ${decimal(cached, 0)} of ${counted(report.timings.length, "stage")} cached`;
  const indent = " ".repeat(9);
  const list = wrapped(parts.join(", ").replaceAll(/(?<!,) /g, "\u00a0"), { width: COLUMNS - 9, indent })
    .replaceAll("\u00a0", " ");
  return `time     ${duration(report.seconds)}${store}\n${indent}${list}`;
}

/** Returns the summary of a report, without a line break at its end. `runDir` is put before the paths. */
export function summaryOf(report: Report, runDir: string): string {
  const files = [...Object.entries(report.outputs), ["report", "report.html"] as const];
  const width = largest(files.map(([key]) => key.length), 7) + 2;
  const parts = [
    [
      wrapped(report.headline, { width: COLUMNS, indent: "" }),
      ...report.findings.map((f) => `  ${wrapped(f, { width: COLUMNS - 2, indent: "  " })}`),
    ].join("\n"),
    comparisonTable(report),
    benchmarkLines(report),
    rewards(report),
    responses(report),
    times(report),
    files.map(([key, path]) => `${key.padEnd(width)}${runDir}/${path}`).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

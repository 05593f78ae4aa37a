/**
 * What stands on the screen when a run is over: the result, the table of models, three prompts with each model's
 * answer, where the time went, and where the files are.
 * @module
 */
import Table from "cli-table3";
import { type Paint, paint, plain } from "./ansi.ts";
import { bestModels, find, modelName, modelsOf, MODES } from "./comparison.ts";
import { counted, decimal, duration } from "./format.ts";
import { inOrder, metricInfo, metricText } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { splitByWords } from "./split_by_words.ts";
import { secondsByStage } from "./stage_seconds.ts";

/** How the summary is written. */
export interface SummaryOptions {
  /** default: no colours */
  readonly colours?: boolean;
  /** width to wrap answers at; default 100 */
  readonly columns?: number;
}

const PROMPTS = 3;
/** Characters of an answer that are shown; the report has all of it. */
const LONGEST = 320;

/** The comparison as a table: a row per metric, a column per model, one part per mode of decoding. */
function comparisonTable(report: Report, colours: Paint): string {
  const models = modelsOf(report.comparison);
  if (models.length === 0) return "";
  const table = new Table({
    head: ["", ...models.map((model) => colours.bold(modelName(model)))],
    colAligns: ["left", ...models.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const mode of MODES) {
    const rows = report.comparison.filter((r) => r.mode === mode);
    if (rows.length === 0) continue;
    const answers = counted(Math.max(...rows.map((r) => r.n)), "answer");
    table.push([{ colSpan: models.length + 1, content: colours.cyan(`${mode}, ${answers} each`) }]);
    for (const metric of inOrder(rows.map((r) => r.metric))) {
      const { short, better } = metricInfo(metric);
      const best = bestModels(rows, { mode, metric, better });
      table.push([
        `${short}${better === undefined ? "" : better === "more" ? " ↑" : " ↓"}`,
        ...models.map((model) => {
          const row = find(rows, { model, mode, metric });
          if (row === undefined) return "";
          const text = `${metricText(metric, row.mean)} ± ${
            metricText(metric, row.stderr).replace(" %", "")
          }`;
          return best.has(model) ? colours.green(`${text} *`) : `${text}  `;
        }),
      ]);
    }
  }
  return `${table.toString()}\n${
    colours.dim("* best of a row, ± one standard error over the prompts of this run")
  }`;
}

/** `text` in lines of at most `width` characters, broken at spaces; all but the first begin with `indent`. */
export function wrapped(text: string, options: { readonly width: number; readonly indent: string }): string {
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

/** Makes control characters of a model's text harmless: a terminal obeys them. */
function harmless(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "�");
}

function answers(report: Report, colours: Paint, columns: number): string {
  const mode = MODES.find((m) => report.samples.some((s) => s.mode === m));
  const samples = report.samples.filter((s) => s.mode === mode);
  const ids = [...new Set(samples.map((s) => s.prompt_id))].slice(0, PROMPTS);
  const models = modelsOf(samples);
  const label = Math.max(0, ...models.map((m) => modelName(m).length)) + 4;
  const layout = { width: Math.max(30, columns - label), indent: " ".repeat(label) };
  return ids.map((id) => {
    const own = samples.filter((s) => s.prompt_id === id);
    const prompt = colours.bold(wrapped(harmless(own[0]!.prompt.trim()), { width: columns, indent: "" }));
    const lines = models.flatMap((model) => {
      const sample = own.find((s) => s.model === model);
      if (sample === undefined) return [];
      const end = sample.finish_reason === "length" ? " …" : "";
      const clipped = harmless(sample.response.trim());
      const text = clipped.length > LONGEST
        ? `${wrapped(clipped.slice(0, LONGEST), layout)} …`
        : wrapped(clipped, layout) + end;
      const marked = splitByWords(text, sample.words).map((p) => p.isWord ? colours.green(p.text) : p.text)
        .join("");
      return [`  ${colours.cyan(modelName(model).padEnd(label - 4))}  ${marked}`];
    });
    return [prompt, ...lines].join("\n");
  }).join("\n\n");
}

/** What build-reward found out, where a run ends before there are models to compare. */
function rewards(report: Report, colours: Paint, columns: number): string {
  if (report.comparison.length > 0) return "";
  const line = (text: string) => `  ${wrapped(text, { width: columns - 2, indent: "  " })}`;
  return report.rewards.map(({ stage, sentences, warnings }) =>
    [
      colours.bold(stage),
      ...sentences.map(line),
      ...warnings.map((warning) => colours.yellow(line(`Warning: ${warning}`))),
    ].join("\n")
  ).join("\n\n");
}

function times(report: Report, colours: Paint, columns: number): string {
  const parts = secondsByStage(report.timings).map(({ uses, seconds, copies }) =>
    `${uses}${copies > 1 ? ` ×${decimal(copies, 0)}` : ""} ${duration(seconds)}`
  );
  const cached = report.timings.filter((t) => t.cached).length;
  const store = cached === 0
    ? ""
    : `, ${counted(cached, "stage")} of ${decimal(report.timings.length, 0)} from the store`;
  const indent = " ".repeat(9);
  const list = wrapped(parts.join(", ").replaceAll(/(?<!,) /g, "\u00a0"), { width: columns - 9, indent })
    .replaceAll("\u00a0", " ");
  return `${colours.bold("time")}     ${duration(report.seconds)}${store}\n         ${colours.dim(list)}`;
}

/** The summary of a report, without a line break at its end. `runDir` is put before the paths. */
export function summaryOf(report: Report, runDir: string, options: SummaryOptions = {}): string {
  const colours = paint(options.colours ?? false);
  const columns = options.columns ?? 100;
  const files = [
    ...Object.entries(report.outputs).map(([key, path]) => [key, `${runDir}/${path}`] as const),
    ["report", `${runDir}/report.html`] as const,
  ];
  const width = Math.max(...files.map(([key]) => key.length), 7) + 2;
  const parts = [
    [
      colours.bold(report.headline),
      ...report.findings.map((f) => `  ${wrapped(f, { width: columns - 2, indent: "  " })}`),
    ]
      .join("\n"),
    comparisonTable(report, colours),
    rewards(report, colours, columns),
    answers(report, colours, columns),
    times(report, colours, columns),
    files.map(([key, path]) => `${colours.bold(key.padEnd(width))}${path}`).join("\n"),
  ];
  const text = parts.filter((part) => part !== "").join("\n\n");
  return options.colours ? text : plain(text);
}

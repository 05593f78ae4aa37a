/** The sections about the run itself: time by stage, and what is needed to reproduce it. @module */
import { counted, decimal, displayName, duration } from "./format.ts";
import { type Html, type HtmlValue, markup } from "./html.ts";
import type { Report } from "./report_schema.ts";
import { blockOf } from "./run_tracker.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Returns the time by stage; undefined for a run without stages. */
export function timesSection({ phases, seconds, stage_seconds }: Report): Html | undefined {
  if (phases.length === 0) return undefined;
  const longest = largest(phases.map((phase) => phase.seconds), 1e-9);
  const cached = phases.reduce((sum, phase) => sum + phase.cached, 0);
  const note = cached === 0
    ? ""
    : ` Cached stages (${decimal(cached, 0)}) count with the time of their original run.`;
  const bars = phases.map(({ uses, stages, seconds, tokens_per_second: rate }) =>
    markup`<span>${uses}${
      stages > 1 ? markup` <small>×${decimal(stages, 0)}</small>` : undefined
    }</span><div><i style="width:${decimal((100 * seconds) / longest, 1)}%"></i></div><span>${
      rate === null ? undefined : markup`<small>${decimal(rate, 0)} tokens/s</small> `
    }${duration(seconds)}</span>
`
  );
  return markup`
    <h2>Time</h2>
    <p class="lead">This run took ${duration(seconds)}; the sum over all stages is ${
    duration(stage_seconds)
  }.${note}</p>
    <div class="card times">${bars}</div>
  `;
}

/** Returns what every training stage and every loop did: `SFT`, `252 updates`. */
function trainingRows({ iterations, updates }: Report): [string, string][] {
  const blocks = [...new Set(iterations.map(({ block }) => block))];
  const looped = blocks.map((block): [string, string] => {
    const count = iterations.filter((r) => r.block === block).length;
    const made = updates.filter(({ stage }) => blockOf({ stage }) === block);
    const text = [counted(count, "iteration"), ...made.map((row) => counted(row.updates, "update"))];
    return [displayName(block), text.join(", ")];
  });
  const stages = [...new Set(updates.map(({ stage }) => stage))].filter((stage) =>
    !blocks.includes(blockOf({ stage }))
  );
  const single = stages.map((stage): [string, string] => {
    const counts = updates.filter((row) => row.stage === stage).map((row) => row.updates);
    const text = counts.length > 1 && new Set(counts).size === 1
      ? `${counts.length} × ${counted(counts[0]!, "update")}`
      : `${counts.map((n) => decimal(n, 0)).join(" + ")} ${counts.join() === "1" ? "update" : "updates"}`;
    return [displayName(stage), text];
  });
  return [...single, ...looped];
}

/** Returns the key facts about a run, beside its result. */
export function factsCard(report: Report): Html {
  const responses = largest(report.comparison.map((r) => r.n), 0);
  return definitions([
    ["Evaluated on", responses === 0 ? "" : counted(responses, "response")],
    ...trainingRows(report),
    ["Time of all stages", duration(report.stage_seconds)],
    ["Machine", counted(report.environment.cores, "core")],
  ], "facts");
}

/** Returns a list of names and values; rows without a value are left out. */
function definitions(rows: readonly (readonly [string, HtmlValue])[], look: string): Html {
  const shown = rows.filter(([, value]) => value !== "").map(([name, value]) =>
    markup`<dt>${name}</dt><dd>${value}</dd>
`
  );
  return markup`<dl class="card ${look}">${shown}</dl>`;
}

/** Returns `key: value` lines; nested values as JSON. */
function parameterLines(params: Readonly<Record<string, unknown>>): string {
  return Object.entries(params).map(([key, value]) =>
    `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join("\n");
}

/** Returns machine and versions: `linux x86_64, 2 cores`, `Deno 2.9.6`. */
export function environmentTexts(
  e: Report["environment"],
): { readonly machine: string; readonly software: string } {
  const machine = [
    `${e.os} ${e.arch}`,
    counted(e.cores, "core"),
    e.threads === null ? "" : counted(e.threads, "thread"),
    e.instruction_set ?? "",
  ].filter((part) => part !== "").join(", ");
  const software = `Deno ${e.deno}${e.onnxruntime === null ? "" : `, ONNX Runtime ${e.onnxruntime}`}`;
  return { machine, software };
}

/** Returns manifest, seed, machine, outputs and parameters. */
export function setupSection(report: Report): Html {
  const { machine, software } = environmentTexts(report.environment);
  const rows: [string, HtmlValue][] = [
    ["Manifest", markup`<code>${report.manifest}</code>`],
    ["Seed", String(report.seed)],
    ["Machine", machine],
    ["Software", software],
    ["Executor", report.environment.executor ?? ""],
    ...Object.entries(report.outputs).map((
      [key, path],
    ): [string, HtmlValue] => [`Output ${key}`, markup`<code>${path}</code>`]),
  ];
  const stages = Object.entries(report.parameters).filter(([, params]) => Object.keys(params).length > 0);
  return markup`<h2>Setup</h2>
${definitions(rows, "made")}
${
    stages.map(([stage, params]) =>
      markup`
        <details>
          <summary>Parameters of ${stage}</summary>
          <pre>${parameterLines(params)}</pre>
        </details>
      `
    )
  }`;
}

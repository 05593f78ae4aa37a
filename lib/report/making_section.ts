/** The parts of the page about the making: where the time went, and what it takes to make the same again. @module */
import { counted, decimal, duration } from "./format.ts";
import { type Html, type HtmlValue, markup } from "./html.ts";
import type { Report } from "./report_schema.ts";
import { secondsByStage } from "./stage_seconds.ts";

/** Where the time went; nothing for a run without stages. */
export function timesSection(report: Report): Html | undefined {
  const sums = secondsByStage(report.timings);
  if (sums.length === 0) return undefined;
  const longest = Math.max(...sums.map((s) => s.seconds), 1e-9);
  const cached = sums.reduce((sum, s) => sum + s.cached, 0);
  const store = cached === 0
    ? ""
    : ` ${counted(cached, "stage")} came from the store and count with the seconds they took when they ran.`;
  const bars = sums.map(({ uses, seconds, copies, tokensPerSecond }) => {
    const many = copies > 1 ? markup` <small>×${decimal(copies, 0)}</small>` : undefined;
    const share = decimal((100 * seconds) / longest, 1);
    const rate = tokensPerSecond === undefined
      ? undefined
      : markup`<small>${decimal(tokensPerSecond, 0)} tokens/s</small> `;
    return markup`<span>${uses}${many}</span><div><i style="width:${share}%"></i></div><span>${rate}${
      duration(seconds)
    }</span>
`;
  });
  return markup`
    <h2>Time</h2>
    <p class="lead">This run took ${duration(report.seconds)}; its stages together ${
    duration(
      report.stage_seconds,
    )
  }.${store}</p>
    <div class="card times">${bars}</div>
  `;
}

/** What a reader wants to know first about a run, beside its result. */
export function factsCard(report: Report): Html {
  const { updates } = report;
  const rounds = new Set(report.rounds.map((r) => `${r.block}/${r.iteration}`)).size;
  const answers = Math.max(0, ...report.comparison.map((r) => r.n));
  const ppo = updates.policy === null ? "" : `, ${counted(updates.policy, "update")}`;
  const rows: [string, string][] = [
    ["Evaluated on", answers === 0 ? "" : counted(answers, "answer")],
    ["SFT", updates.sft === null ? "" : counted(updates.sft, "update")],
    ["Reward", updates.members.length === 0 ? "" : counted(updates.members.length, "member")],
    ["PPO", rounds === 0 ? "" : `${counted(rounds, "round")}${ppo}`],
    ["Continued SFT", updates.continued_sft === null ? "" : counted(updates.continued_sft, "update")],
    ["Stages took", duration(report.stage_seconds)],
    ["Machine", counted(report.environment.cores, "core")],
  ];
  return definitions(rows, "facts");
}

/** Names and what they are; rows without a value are left out. */
function definitions(rows: readonly (readonly [string, HtmlValue])[], look: string): Html {
  const shown = rows.filter(([, value]) => value !== "").map(([name, value]) =>
    markup`<dt>${name}</dt><dd>${value}</dd>
`
  );
  return markup`<dl class="card ${look}">${shown}</dl>`;
}

function updatesText(updates: Report["updates"]): string {
  const parts = [
    updates.sft === null ? "" : `SFT ${decimal(updates.sft, 0)}`,
    updates.members.length === 0 ? "" : `members ${updates.members.map((m) => decimal(m, 0)).join(" + ")}`,
    updates.policy === null ? "" : `policy ${decimal(updates.policy, 0)}`,
    updates.continued_sft === null ? "" : `continued SFT ${decimal(updates.continued_sft, 0)}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** `key: value` lines; nested values as JSON. */
function parameterLines(params: Readonly<Record<string, unknown>>): string {
  return Object.entries(params).map(([key, value]) =>
    `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join("\n");
}

/** How it was made. */
export function madeSection(report: Report): Html {
  const e = report.environment;
  const machine = [
    `${e.os} ${e.arch}`,
    counted(e.cores, "core"),
    e.threads === null ? "" : counted(e.threads, "thread"),
    e.instruction_set ?? "",
  ].filter((part) => part !== "").join(", ");
  const software = `Deno ${e.deno}${e.onnxruntime === null ? "" : `, ONNX Runtime ${e.onnxruntime}`}`;
  const rows: [string, HtmlValue][] = [
    ["Manifest", markup`<code>${report.manifest}</code>`],
    ["Seed", String(report.seed)],
    ["Updates", updatesText(report.updates)],
    ["Machine", machine],
    ["Software", software],
    ["Executor", e.executor ?? ""],
    ...Object.entries(report.outputs).map((
      [key, path],
    ): [string, HtmlValue] => [`Output ${key}`, markup`<code>${path}</code>`]),
  ];
  const stages = Object.entries(report.parameters).filter(([, params]) => Object.keys(params).length > 0);
  return markup`<h2>How it was made</h2>
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

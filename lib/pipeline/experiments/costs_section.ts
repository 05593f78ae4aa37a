/** The sections about the cost of arms, and about the runs. @module */
import { counted, decimal, duration } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { environmentTexts } from "@/lib/report/run_sections.ts";
import type { ExperimentReport } from "./experiment_report.ts";
import { placeLabel, table } from "./results_section.ts";

/** Returns a number of tokens: `1.2 M`, `48 k`. */
function tokensText(tokens: number): string {
  if (tokens === 0) return "";
  return tokens >= 1e6 ? `${decimal(tokens / 1e6, 2)} M` : `${decimal(tokens / 1e3, 0)} k`;
}

/** Returns the section; undefined before a run is done. */
export function costsSection(report: ExperimentReport): Html | undefined {
  const kinds = [...new Set(report.costs.flatMap(({ work }) => Object.keys(work)))];
  if (kinds.length === 0) return undefined;
  const lines = report.costs.map((cost) =>
    markup`<tr><th scope="row">${placeLabel(report, cost.arm, cost.point)}</th><td title="${
      counted(cost.n, "seed")
    }">${duration(cost.seconds)}${
      cost.n === 1 ? undefined : markup` <small>± ${duration(cost.seconds_std)}</small>`
    }</td>${
      kinds.map((kind) => {
        const work = cost.work[kind];
        return work === undefined
          ? markup`<td></td>`
          : markup`<td>${duration(work.seconds)} <small>${tokensText(work.tokens)}</small></td>`;
      })
    }</tr>
`
  );
  return markup`<h2>Cost</h2>
<p class="lead">Mean over seeds of the cost of an arm: all stages that its model depends on, including stages shared with
other arms, without evaluation. Wall time (of the original run for cached stages), and tokens that were trained on, generated
or scored.</p>
${table("", ["All", ...kinds], lines)}`;
}

/** Returns the runs with manifests, changes and seeds, and the machine. */
export function experimentSetup(report: ExperimentReport): Html {
  const { environment, runs } = report;
  const { machine, software } = environment === null
    ? { machine: "", software: "" }
    : environmentTexts(environment);
  const missing = runs.filter(({ done }) => !done);
  const sameSetup = Map.groupBy(
    runs,
    ({ manifest, settings, inputs }) => JSON.stringify([manifest, settings, inputs]),
  );
  const lines = [...sameSetup.values()].map((group) => {
    const { name, manifest, settings, inputs } = group[0]!;
    const changes = [...settings, ...Object.entries(inputs).map(([input, path]) => `${input} = ${path}`)];
    return markup`<tr><th scope="row"><code>${
      name.replace(/\/seed-\d+$/, "")
    }</code></th><td><code>${manifest}</code></td><td>${
      changes.map((change) => markup`<code>${change}</code> `)
    }</td><td>${group.map(({ seed }) => seed).join(", ")}</td></tr>
`;
  });
  return markup`<h2>Setup</h2>
<p class="lead">${decimal(runs.length - missing.length, 0)} of ${counted(runs.length, "run")} done.${
    machine === "" ? "" : ` Each run: ${machine}; ${software}.`
  }</p>
<div class="setup">${table("Runs", ["Manifest", "Changes", "Seeds"], lines)}</div>
${
    missing.length === 0
      ? undefined
      : markup`<p class="lead">Not done: ${missing.map(({ name }) => name).join(", ")}</p>`
  }`;
}

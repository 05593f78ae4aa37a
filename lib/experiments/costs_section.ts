/** The part of the page about what arms cost, and about what was run. @module */
import { counted, decimal, duration } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import type { ExperimentReport } from "./experiment_report.ts";
import { placeLabel } from "./results_section.ts";

/** A number of tokens: `1.2 M`, `48 k`. */
function tokensText(tokens: number): string {
  if (tokens === 0) return "";
  return tokens >= 1e6 ? `${decimal(tokens / 1e6, 2)} M` : `${decimal(tokens / 1e3, 0)} k`;
}

/** The section; nothing before a run is done. */
export function costsSection(report: ExperimentReport): Html | undefined {
  const kinds = [...new Set(report.costs.flatMap(({ work }) => Object.keys(work)))];
  if (kinds.length === 0) return undefined;
  return markup`<h2>Cost</h2>
<p class="lead">Per seed, all stages that an arm's model comes from, shared ones included; wall seconds of when they ran, and
tokens that they worked on (learned, generated, scored). Evaluation is not counted.</p>
<div class="card scroll"><table><thead><tr><th></th><th scope="col">All</th>${
    kinds.map((kind) => markup`<th scope="col">${kind}</th>`)
  }</tr></thead><tbody>${
    report.costs.map((cost) =>
      markup`<tr><th scope="row">${placeLabel(report, cost.arm, cost.point)}</th><td title="${
        counted(cost.n, "seed")
      }">${duration(cost.seconds)} <small>± ${duration(cost.seconds_std)}</small></td>${
        kinds.map((kind) => {
          const work = cost.work[kind];
          return work === undefined
            ? markup`<td></td>`
            : markup`<td>${duration(work.seconds)} <small>${tokensText(work.tokens)}</small></td>`;
        })
      }</tr>
`
    )
  }</tbody></table></div>
`;
}

/** What was run: manifests, what they were changed by, the machine. */
export function setupSection(report: ExperimentReport): Html {
  const e = report.environment;
  const machine = e === null
    ? ""
    : `${e.os} ${e.arch}, ${counted(e.cores, "core")}, ${
      counted(e.threads ?? 0, "thread")
    } a run; Deno ${e.deno}` +
      (e.onnxruntime === null ? "" : `, ONNX Runtime ${e.onnxruntime}`);
  const missing = report.runs.filter(({ done }) => !done);
  const sameSetup = new Map<string, ExperimentReport["runs"]>();
  for (const run of report.runs) {
    const key = JSON.stringify([run.manifest, run.settings, run.inputs]);
    sameSetup.set(key, [...sameSetup.get(key) ?? [], run]);
  }
  return markup`<h2>How it was made</h2>
<p class="lead">${counted(report.runs.length - missing.length, "run")} of ${
    decimal(report.runs.length, 0)
  } are done. ${machine}</p>
<div class="card scroll"><table><thead><tr><th>Runs</th><th scope="col">Manifest</th><th scope="col">Changed</th><th
 scope="col">Seeds</th></tr></thead><tbody>${
    [...sameSetup.values()].map((runs) => {
      const { name, manifest, settings, inputs } = runs[0]!;
      const changes = [...settings, ...Object.entries(inputs).map(([input, path]) => `${input} = ${path}`)];
      return markup`<tr><th scope="row"><code>${
        name.replace(/\/seed-\d+$/, "")
      }</code></th><td><code>${manifest}</code></td><td>${
        changes.map((change) => markup`<code>${change}</code><br>`)
      }</td><td>${runs.map(({ seed }) => seed).join(", ")}</td></tr>
`;
    })
  }</tbody></table></div>
${
    missing.length === 0
      ? undefined
      : markup`<p class="lead">Not done: ${missing.map(({ name }) => name).join(", ")}</p>`
  }`;
}

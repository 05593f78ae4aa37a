/** The section with the models' results on benchmarks: means with 95 % intervals. @module */
import { displayName } from "./format.ts";
import { type Html, markup } from "./html.ts";
import type { Report } from "./report_schema.ts";

/** Half the width of a 95 % interval, in standard errors. */
const QUANTILE = 1.96;

/** Returns a table for each task; undefined without benchmarks. */
export function benchmarksSection({ benchmarks }: Report): Html | undefined {
  if (benchmarks.length === 0) return undefined;
  const tasks = Map.groupBy(
    benchmarks,
    ({ task, version, template }) => `${task}, version ${version}, template: ${template}`,
  );
  const models = [...new Set(benchmarks.map(({ model }) => model))];
  const bodies = [...tasks].map(([title, rows]) => {
    const lines = [...Map.groupBy(rows, ({ metric }) => metric)].map(([metric, values]) => {
      const cells = models.map((model) => cell(values.find((row) => row.model === model)));
      return markup`
        <tr><th scope="row">${metric} <small>n = ${String(values[0]!.n)}</small></th>${cells}</tr>
      `;
    });
    return markup`
      <tr class="mode"><th colspan="${models.length + 1}">${title}</th></tr>
      ${lines}
    `;
  });
  return markup`
    <h2>Benchmarks</h2>
    <p class="lead">Mean with its 95 % interval, ± 1.96 standard errors over the documents. Greedy decoding; prompts and
    filters are those of lm-evaluation-harness 0.4.13.</p>
    <div class="card scroll">
      <table class="compare">
        <thead>
          <tr><th></th>${models.map((model) => markup`<th scope="col">${displayName(model)}</th>`)}</tr>
        </thead>
        <tbody>
    ${bodies}</tbody>
      </table>
    </div>
  `;
}

function cell(row: Report["benchmarks"][number] | undefined): Html {
  if (row === undefined) return markup`<td></td>`;
  const low = Math.max(0, row.mean - QUANTILE * row.stderr),
    high = Math.min(1, row.mean + QUANTILE * row.stderr);
  return markup`<td title="standard error ${row.stderr.toFixed(4)}">${row.mean.toFixed(3)} <small>${
    low.toFixed(3)
  } – ${high.toFixed(3)}</small></td>`;
}

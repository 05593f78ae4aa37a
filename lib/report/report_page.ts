/**
 * report.html: one file that shows the whole report, with nothing loaded from anywhere. Parts for which a run has no
 * data are left out.
 * @module
 */
import { answersSection } from "./answers_section.ts";
import { bestModels, find, modelName, modelsOf, MODES } from "./comparison.ts";
import { curvesSection } from "./curves_section.ts";
import { counted, duration } from "./format.ts";
import { tellingDifferences } from "./headline.ts";
import { type Html, markup } from "./html.ts";
import { htmlPage } from "./html_page.ts";
import { intervalPlot } from "./interval_plot.ts";
import { factsCard, madeSection, timesSection } from "./making_section.ts";
import { inOrder, metricInfo, metricText } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { rewardSection } from "./reward_section.ts";

function comparisonSection(report: Report): Html | undefined {
  const models = modelsOf(report.comparison);
  if (models.length === 0) return undefined;
  const parts = MODES.map((mode) => {
    const rows = report.comparison.filter((r) => r.mode === mode);
    if (rows.length === 0) return undefined;
    const n = Math.max(...rows.map((r) => r.n));
    const lines = inOrder(rows.map((r) => r.metric)).map((metric) => {
      const { label, better, help } = metricInfo(metric);
      const best = bestModels(rows, { mode, metric, better });
      const arrow = better === undefined
        ? undefined
        : markup` <span class="arrow">${better === "more" ? "↑" : "↓"}</span>`;
      const cells = models.map((model) => {
        const row = find(rows, { model, mode, metric });
        if (row === undefined) return markup`<td></td>`;
        const stderr = metricText(metric, row.stderr).replace(" %", "");
        const value = metricText(metric, row.mean);
        const mean = best.has(model) ? markup`<b>${value}</b>` : value;
        return markup`<td class="${best.has(model) ? "best" : ""}">${mean} <small>± ${stderr}</small></td>`;
      });
      return markup`
        <tr><th scope="row" title="${help}">${label}${arrow}</th>${cells}</tr>
      `;
    });
    const title = mode === "greedy" ? "Greedy decoding" : "Sampling";
    return markup`
      <tr class="mode">
        <th colspan="${models.length + 1}">${title}, ${counted(n, "answer")} each</th>
      </tr>
      ${lines}
    `;
  });
  return markup`
    <h2>Comparison</h2>
    <p class="lead">Mean ± one standard error over the evaluation prompts of this run; the best of a row is marked.
    Another seed moves the means too: for a claim, repeat the run with several.</p>
    <div class="card scroll">
      <table class="compare">
        <thead>
          <tr><th></th>${models.map((m) => markup`<th scope="col">${modelName(m)}</th>`)}</tr>
        </thead>
        <tbody>
    ${parts}</tbody>
      </table>
    </div>
  `;
}

/** The page as text. */
export async function reportPage(report: Report): Promise<string> {
  const differing = tellingDifferences(report.comparison, report.differences);
  const body = markup`
    <p class="eyebrow">Self-Rewarding PPO · ${report.manifest} · seed ${report.seed} · ${
    duration(
      report.seconds,
    )
  }</p>
    <h1>${report.headline}</h1>
    <div class="result">${intervalPlot(differing)}${factsCard(report)}</div>
    ${comparisonSection(report)}${rewardSection(report)}${curvesSection(report)}${answersSection(report)}${
    timesSection(
      report,
    )
  }${madeSection(report)}
    <footer>The same figures for programs: <code>report.json</code> beside this file. Reward = log π_sft − log π_base, summed over
    an answer (Self-Rewarding PPO, arXiv 2510.21090).</footer>
  `;
  return await htmlPage({ title: report.headline, body });
}

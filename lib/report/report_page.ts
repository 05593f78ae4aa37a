/** report.html: one file that shows the whole report and loads nothing. Sections without data are left out. @module */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import { benchmarksSection } from "./benchmarks_section.ts";
import { bestOf, DECODING, find, modelsOf, MODES } from "./comparison.ts";
import { curvesSection } from "./curves_section.ts";
import { counted, displayName, duration } from "./format.ts";
import { differenceVerdict, intervalOf, keyDifferences, withoutInterval } from "./headline.ts";
import { type Html, markup } from "./html.ts";
import { htmlPage } from "./html_page.ts";
import { intervalPlot } from "./interval_plot.ts";
import { betterArrow, inOrder, labelInSentence, metricInfo, metricSpread } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { factsCard, setupSection, timesSection } from "./run_sections.ts";
import { samplesSection } from "./samples_section.ts";
import { rewardSection, warningsSection } from "./warnings_section.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Returns a cell `mean ± deviation`, marked where it is the best; an empty one without `text`. */
export function spreadCell(text: string | undefined, isBest: boolean, title = ""): Html {
  if (text === undefined) return markup`<td></td>`;
  const [mean, deviation] = text.split(" ± ");
  return markup`<td class="${isBest ? "best" : ""}" title="${title}">${
    isBest ? markup`<b>${mean}</b>` : mean
  }${deviation === undefined ? undefined : markup` <small>± ${deviation}</small>`}</td>`;
}

function modeRows(report: Report, mode: DecodingMode, models: readonly string[]): Html | undefined {
  const rows = report.comparison.filter((r) => r.mode === mode);
  if (rows.length === 0) return undefined;
  const n = largest(rows.map((r) => r.n));
  const lines = inOrder(rows.map((r) => r.metric)).map((metric) => {
    const { label, help } = metricInfo(metric);
    const best = bestOf(rows.filter((r) => r.metric === metric));
    const cells = models.map((model) => {
      const row = find(rows, { model, mode, metric });
      return spreadCell(
        row && metricSpread(metric, row.mean, row.stderr),
        row !== undefined && best.has(row),
      );
    });
    return markup`
        <tr><th scope="row" title="${help}">${label}<span class="arrow">${
      betterArrow(metric)
    }</span></th>${cells}</tr>
      `;
  });
  return markup`
      <tr class="mode">
        <th colspan="${models.length + 1}">${DECODING[mode]}, ${counted(n, "response")} each</th>
      </tr>
      ${lines}
    `;
}

/** Returns which reward the row Trained reward is about. */
function rewardNote({ comparison, rewards }: Report): string {
  if (!comparison.some(({ metric }) => metric === "reward") || rewards.length !== 1) return "";
  return ` Trained reward: ${rewards[0]!.name}.`;
}

function comparisonSection(report: Report): Html | undefined {
  const models = modelsOf(report.comparison);
  if (models.length === 0) return undefined;
  return markup`
    <h2>Comparison</h2>
    <p class="lead">Mean ± one standard error over the evaluation prompts of this run, if it is known; the best of a row
    is marked.${
    rewardNote(report)
  } The means also vary between seeds: repeat the run with several seeds before drawing conclusions.</p>
    <div class="card scroll">
      <table class="compare">
        <thead>
          <tr><th></th>${models.map((m) => markup`<th scope="col">${displayName(m)}</th>`)}</tr>
        </thead>
        <tbody>
    ${MODES.map((mode) => modeRows(report, mode, models))}</tbody>
      </table>
    </div>
  `;
}

/** Returns the plot of the differences behind the headline; undefined without any. */
function keyPlot(report: Report): Html | undefined {
  const rows = keyDifferences(report);
  const [first] = rows;
  return first && intervalPlot(
    `Difference in ${labelInSentence(first.metric)}, with 95 % interval`,
    first.metric,
    rows.map((d) => ({
      name: `${displayName(d.model)} − ${displayName(d.against)}, ${d.mode}`,
      mean: d.mean,
      interval: intervalOf(d),
      verdict: differenceVerdict(d),
      note: intervalOf(d) === null ? withoutInterval(d) : "",
    })),
  );
}

/** Returns the page as text. */
export async function reportPage(report: Report): Promise<string> {
  const body = markup`
    <p class="eyebrow">Self-Rewarding PPO · ${report.manifest} · seed ${report.seed} · ${
    duration(report.seconds)
  }</p>
    <h1>${report.headline}</h1>
    <div class="result">${keyPlot(report)}${factsCard(report)}</div>
  ${comparisonSection(report)}${benchmarksSection(report)}${warningsSection(report)}${rewardSection(report)}${
    curvesSection(report)
  }${samplesSection(report)}${timesSection(report)}${setupSection(report)}
    <footer><code>report.json</code> beside this file has the same numbers in machine-readable form. Self-Rewarding PPO: arXiv 2510.21090.</footer>
  `;
  return await htmlPage({ title: report.headline, body });
}

/** report.html of an experiment: one file with all results, which loads nothing. @module */
import type { CurveRow } from "@/lib/data/contracts/curves.ts";
import { counted } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { htmlPage } from "@/lib/report/html_page.ts";
import { samplesSection } from "@/lib/report/samples_section.ts";
import { costsSection, experimentSetup } from "./costs_section.ts";
import { experimentCurves } from "./curves_section.ts";
import { differencesSection } from "./differences_section.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { ARM_STYLE, pointLabel, resultsSection } from "./results_section.ts";

const OWN_STYLE = `${ARM_STYLE}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:.9rem}.plots .interval{grid-template-columns:11rem 1fr 4.2rem}
.scroll+.scroll,.charts+.scroll{margin-top:.9rem}td.better{color:var(--good)}td.worse{color:var(--bad)}details>.scroll{margin-top:.6rem}
th code,td code{overflow-wrap:normal}.setup th,.setup td{text-align:left}.setup td:nth-child(3) code{margin-right:.8em;white-space:nowrap}
@media (max-width:40rem){.plots{grid-template-columns:1fr}.plots .interval{grid-template-columns:1fr 4rem}}
`;

/** Returns responses of all arms side by side. */
function armSamples(report: ExperimentReport): Html | undefined {
  if (report.samples_of === null || report.samples.length === 0) return undefined;
  const { seed, point } = report.samples_of;
  const where = pointLabel(point);
  const samples = report.samples.map(({ arm, ...sample }) => ({ ...sample, model: armLabel(report, arm) }));
  return markup`${samplesSection({ samples })}
<p class="lead">Seed ${seed}${where === "" ? "" : `, ${where}`}.</p>
`;
}

/** Returns the page as text. */
export async function experimentPage(report: ExperimentReport, curves: readonly CurveRow[]): Promise<string> {
  const title = report.description === "" ? report.experiment.replaceAll("_", " ") : report.description;
  const isDone = report.runs.every(({ done }) => done);
  const body = markup`
<p class="eyebrow">Self-Rewarding PPO · experiment ${report.experiment} · ${
    counted(report.arms.length, "arm")
  } · ${counted(report.seeds.length, "seed")}${isDone ? "" : " · not finished"}</p>
<h1>${title}</h1>
${resultsSection(report)}${differencesSection(report)}${experimentCurves(report, curves)}${
    armSamples(report)
  }${costsSection(report)}${experimentSetup(report)}
<footer>The same numbers for programs: <code>results.arrow</code>, <code>curves.arrow</code> and <code>results.json</code>
beside this file.</footer>
`;
  return await htmlPage({ title, body, style: OWN_STYLE });
}

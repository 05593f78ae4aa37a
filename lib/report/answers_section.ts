/** The part of the page with prompts and every model's answers side by side, the checker's words highlighted. @module */
import { modelName, modelsOf, MODES, type SampleRow, subjectOf } from "./comparison.ts";
import { type Html, markup } from "./html.ts";
import { metricInfo, metricText } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { splitByWords } from "./split_by_words.ts";

/** Prompts that are open to the eye; the others are folded. */
const OPEN = 3;

/** An answer with its words marked, as text that is escaped piece by piece. */
function marked(sample: SampleRow): Html {
  const pieces = splitByWords(sample.response.trim(), sample.words);
  const cut = sample.finish_reason === "length"
    ? markup`<span class="cut" title="cut off at the limit"> …</span>`
    : undefined;
  return markup`${pieces.map((p) => p.isWord ? markup`<mark>${p.text}</mark>` : p.text)}${cut}`;
}

function promptCard(samples: readonly SampleRow[], models: readonly string[]): Html {
  const subject = subjectOf(models);
  const { prompt, words } = samples[0]!;
  return markup`
    <div class="card prompt">
      <p>${
    splitByWords(prompt.trim(), words).map((p) => p.isWord ? markup`<mark>${p.text}</mark>` : p.text)
  }</p>
      <div class="answers">${
    models.map((model) => {
      const own = samples.filter((s) => s.model === model);
      if (own.length === 0) return undefined;
      return markup`
          <div><h3 class="${model === subject ? "subject" : ""}">${modelName(model)}</h3>${
        MODES.map(
          (mode) => {
            const sample = own.find((s) => s.mode === mode);
            if (sample === undefined) return undefined;
            const score = sample.scores["score"];
            const note = score === undefined
              ? mode
              : `${mode}, ${metricInfo("score").short} ${metricText("score", score)}`;
            return markup`<p><i>${note}</i>${marked(sample)}</p>`;
          },
        )
      }</div>
        `;
    })
  }</div>
    </div>
  `;
}

/** The section, or nothing without samples. */
export function answersSection(report: Pick<Report, "samples">): Html | undefined {
  const ids = [...new Set(report.samples.map((s) => s.prompt_id))];
  if (ids.length === 0) return undefined;
  const models = modelsOf(report.samples);
  const cards = ids.map((id) => promptCard(report.samples.filter((s) => s.prompt_id === id), models));
  const words = report.samples.some((s) => s.words.length > 0)
    ? " The words that the checker looks for are marked."
    : "";
  const more = cards.slice(OPEN);
  return markup`<h2>Answers</h2>
<p class="lead">The first prompts of the evaluation set, not chosen.${words}</p>
${cards.slice(0, OPEN)}${
    more.length === 0 ? undefined : markup`
      <details><summary>${more.length} more</summary>${more}<p></p></details>
    `
  }`;
}

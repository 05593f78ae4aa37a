/** The section with prompts and the responses of all models, the checker's words marked. @module */
import { modelsOf, MODES, type ReportSample } from "./comparison.ts";
import { displayName } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { labelInSentence, metricText } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { rewardMap } from "./reward_map.ts";
import { splitByWords } from "./split_by_words.ts";

/** Prompts that are visible at first; the others are folded. */
const OPEN = 3;

/** Returns a text with its words marked, escaped piece by piece. */
function marked(text: string, words: readonly string[]): Html {
  return markup`${splitByWords(text, words).map((p) => p.isWord ? markup`<mark>${p.text}</mark>` : p.text)}`;
}

function responseText(
  { response, words, mode, scores: { score }, finish_reason: reason, token_rewards: rewards }: ReportSample,
  isOpen: boolean,
): Html {
  const note = score === undefined
    ? mode
    : `${mode}, ${labelInSentence("score")} ${metricText("score", score)}`;
  const more = reason === "length"
    ? markup`<span class="truncated" title="truncated at the length limit"> …</span>`
    : undefined;
  return markup`<p><i>${note}</i>${marked(response.trim(), words)}${more}</p>${
    rewards && rewardMap(rewards, isOpen)
  }`;
}

function promptCard(samples: readonly ReportSample[], models: readonly string[], isOpen: boolean): Html {
  const { prompt, words } = samples[0]!;
  const columns = models.map((model) => {
    const own = samples.filter((s) => s.model === model);
    if (own.length === 0) return undefined;
    const responses = MODES.map((mode) => own.find((s) => s.mode === mode)).filter((s) => s !== undefined);
    return markup`
          <div><h3 class="${model === models.at(-1) ? "subject" : ""}">${displayName(model)}</h3>${
      responses.map((sample) => responseText(sample, isOpen))
    }</div>
        `;
  });
  return markup`
    <div class="card prompt">
      <p>${marked(prompt.trim(), words)}</p>
      <div class="responses">${columns}</div>
    </div>
  `;
}

/** Returns the section; undefined without samples. */
export function samplesSection({ samples }: Pick<Report, "samples">): Html | undefined {
  const ids = [...new Set(samples.map((s) => s.prompt_id))];
  if (ids.length === 0) return undefined;
  const models = modelsOf(samples);
  const cards = ids.map((id, i) => promptCard(samples.filter((s) => s.prompt_id === id), models, i === 0));
  const words = samples.some((s) => s.words.length > 0)
    ? " Words that the checker looks for are marked."
    : "";
  const rewards = samples.some((s) => s.token_rewards !== undefined)
    ? " Rewards of tokens in nats: green raises the reward of the response, red lowers it, deeper colours more."
    : "";
  const more = cards.slice(OPEN);
  return markup`<h2>Responses</h2>
<p class="lead">Responses to the first prompts of the evaluation set.${words}${rewards}</p>
${cards.slice(0, OPEN)}${
    more.length === 0 ? undefined : markup`
      <details><summary>${more.length} more</summary>${more}<p></p></details>
    `
  }`;
}

/** The part of the page about the reward: whether it was worth running PPO on, as was known before. @module */
import { type Html, markup } from "./html.ts";
import type { Report } from "./report_schema.ts";

/** What build-reward found, warnings first; nothing for a run that built no reward. */
export function rewardSection({ rewards }: Report): Html | undefined {
  if (rewards.length === 0) return undefined;
  const cards = rewards.map(({ stage, warnings, sentences }) =>
    markup`
      <div class="card">
        ${rewards.length > 1 ? markup`<h3>${stage}</h3>` : undefined}
        ${warnings.map((warning) => markup`<p><b>Warning:</b> ${warning}</p>`)}
        ${sentences.map((sentence) => markup`<p>${sentence}</p>`)}
      </div>
    `
  );
  return markup`
    <h2>Reward</h2>
    <p class="lead">What was known of the reward before PPO ran on it.</p>
    ${cards}
  `;
}

/** Warnings of a run's stages, and what is known about its rewards: rows of report.json, and sections of the page. @module */
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { counted } from "./format.ts";
import { type Html, markup } from "./html.ts";
import type { Report } from "./report_schema.ts";
import { labelOf } from "./run_tracker.ts";

/** Most warnings on the page; report.json has all. */
const SHOWN = 12;

/** Returns all warnings of a run, each once, in order; cached stages repeat the warnings of when they ran. */
export function runWarnings(events: readonly RunEvent[]): Report["warnings"] {
  const all = events.flatMap((event) => {
    if (event.type !== "stage_progress" && event.type !== "stage_cached") return [];
    const { stage, index = null, iteration = null } = event;
    return messagesOf(event).map((message) => ({ stage, index, iteration, message }));
  });
  // A cached stage that has to run again warns twice.
  return [...new Map(all.map((row) => [JSON.stringify(row), row])).values()];
}

function messagesOf(
  event: RunEvent & { readonly type: "stage_progress" | "stage_cached" },
): readonly string[] {
  if (event.type === "stage_cached") return event.warnings ?? [];
  return event.warning === undefined ? [] : [event.warning];
}

/** Returns the warnings as a table, without those of the section Reward; undefined without others. */
export function warningsSection({ warnings, rewards }: Report): Html | undefined {
  const rows = warnings.filter(({ stage }) => !rewards.some((r) => r.stage === stage));
  if (rows.length === 0) return undefined;
  const more = rows.length > SHOWN
    ? ` These are the first ${SHOWN} of ${rows.length}; report.json has all.`
    : "";
  const ofReward = warnings.length - rows.length;
  const others = ofReward > 0 ? ` The section Reward has ${counted(ofReward, "more warning")}.` : "";
  const lines = rows.slice(0, SHOWN).map(({ iteration, message, ...node }) =>
    markup`
      <tr>
        <th scope="row">${labelOf(node)}</th>
        <td>${iteration === null ? "" : `iteration ${iteration + 1}`}</td>
        <td>${message}</td>
      </tr>
    `
  );
  return markup`
    <h2>Warnings</h2>
    <p class="lead">Warnings of this run's stages.${more}${others}</p>
    <div class="card scroll"><table class="warnings">${lines}</table></div>
  `;
}

/** Returns what is known about the rewards, warnings first; undefined for a run that built none. */
export function rewardSection({ rewards }: Report): Html | undefined {
  if (rewards.length === 0) return undefined;
  const cards = rewards.map(({ stage, name, warnings, sentences }) =>
    markup`
      <div class="card">
        ${rewards.length > 1 ? markup`<h3>${stage}</h3>` : undefined}
        <p>${name.charAt(0).toUpperCase()}${name.slice(1)}.</p>
        ${warnings.map((warning) => markup`<p><b>Warning:</b> ${warning}</p>`)}
        ${sentences.map((sentence) => markup`<p>${sentence}</p>`)}
      </div>
    `
  );
  return markup`
    <h2>Reward</h2>
    <p class="lead">The trained reward, which PPO maximizes: how it is made, and checks before PPO.</p>
    ${cards}
  `;
}

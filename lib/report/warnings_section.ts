/**
 * What the stages of a run warned of: the rows of report.json and their part of the page. In: events and what
 * build-reward found. Out: a row per warning.
 * @module
 */
import type { RunEvent } from "@/lib/contracts/events.ts";
import { counted } from "./format.ts";
import { type Html, markup } from "./html.ts";
import type { Report } from "./report_schema.ts";
import { labelOf } from "./run_tracker.ts";

/** Most warnings on the page; report.json has all. */
const SHOWN = 12;

/**
 * All warnings of a run, each once, in the order in which they were told. Stages that came from the store tell what they
 * warned of when they ran. A store of an earlier version does not know; what build-reward warned of is then taken from its
 * own report.
 */
export function warningsOf(
  events: readonly RunEvent[],
  rewards: Report["rewards"],
): Report["warnings"] {
  const all = events.flatMap((event) => {
    if (event.type !== "stage_progress" && event.type !== "stage_cached") return [];
    const { stage, index = null, iteration = null } = event;
    return toldBy(event).map((message) => ({ stage, index, iteration, message }));
  });
  // A stage of the store that has to run again tells twice.
  const told = [...new Map(all.map((row) => [JSON.stringify(row), row])).values()];
  const isTold = (stage: string, message: string) =>
    told.some((row) => row.stage === stage && row.message === message);
  const earlier = rewards.flatMap(({ stage, warnings }) =>
    warnings.filter((message) => !isTold(stage, message))
      .map((message) => ({ stage, index: null, iteration: null, message }))
  );
  return [...earlier, ...told];
}

/** The warnings that an event tells. */
function toldBy(event: RunEvent & { readonly type: "stage_progress" | "stage_cached" }): readonly string[] {
  if (event.type === "stage_cached") return event.warnings ?? [];
  return event.warning === undefined ? [] : [event.warning];
}

/** The warnings as a table, but those that stand under Reward; nothing for a run without others. */
export function warningsSection({ warnings, rewards }: Report): Html | undefined {
  const isUnderReward = ({ stage }: Report["warnings"][number]) => rewards.some((r) => r.stage === stage);
  const rows = warnings.filter((row) => !isUnderReward(row));
  if (rows.length === 0) return undefined;
  const more = rows.length > SHOWN
    ? ` These are the first ${SHOWN} of ${rows.length}; report.json has all.`
    : "";
  const ofReward = warnings.length - rows.length;
  const others = ofReward > 0 ? ` ${counted(ofReward, "warning")} about the reward: under Reward.` : "";
  const lines = rows.slice(0, SHOWN).map(({ stage, index, iteration, message }) =>
    markup`
      <tr>
        <th scope="row">${labelOf({ stage, uses: "", ...(index === null ? {} : { index }) })}</th>
        <td>${iteration === null ? "" : `round ${iteration + 1}`}</td>
        <td>${message}</td>
      </tr>
    `
  );
  return markup`
    <h2>Warnings</h2>
    <p class="lead">What the stages of this run think a person should look at.${more}${others}</p>
    <div class="card scroll"><table class="warnings">${lines}</table></div>
  `;
}

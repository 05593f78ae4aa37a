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
 * All warnings of a run, in the order in which they were told. Stages that came from the store tell nothing again: what
 * build-reward warned of is then taken from its own report, and the others' warnings stand in the report of the run that
 * made them.
 */
export function warningsOf(
  events: readonly RunEvent[],
  rewards: Report["rewards"],
): Report["warnings"] {
  const told = events.flatMap((event) =>
    event.type === "stage_progress" && event.warning !== undefined
      ? [{
        stage: event.stage,
        index: event.index ?? null,
        iteration: event.iteration ?? null,
        message: event.warning,
      }]
      : []
  );
  const isTold = (stage: string, message: string) =>
    told.some((row) => row.stage === stage && row.message === message);
  const earlier = rewards.flatMap(({ stage, warnings }) =>
    warnings.filter((message) => !isTold(stage, message))
      .map((message) => ({ stage, index: null, iteration: null, message }))
  );
  return [...earlier, ...told];
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

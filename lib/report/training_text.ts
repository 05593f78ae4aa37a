/** The lines about a finished training: which learning rate was chosen, and the curve of the validation loss. @module */
import type { Paint } from "./ansi.ts";
import { decimal } from "./format.ts";
import { metricText } from "./metric_catalogue.ts";
import type { TrainingResult } from "./run_tracker.ts";
import { sparkline } from "./sparkline.ts";

/** Characters of a curve, at most. */
const WIDTH = 40;

/** Returns a learning rate as text: `3e-5`, `0.001`. */
export function rateText(lr: number): string {
  const rounded = Number(lr.toPrecision(3));
  return rounded < 1e-3 ? rounded.toExponential() : String(rounded);
}

const lossText = (loss: number | undefined) =>
  loss === undefined ? "diverged" : metricText("validation_loss", loss);

/** Returns the lines, joined; undefined for a training without trials and with fewer than two validation losses. */
export function trainingLines({ trials, losses, values }: TrainingResult, paint: Paint): string | undefined {
  const lines: string[] = [];
  if (trials.length > 0) {
    const list = trials.map(({ lr, loss }) =>
      `${rateText(lr)} ${lossText(loss)}${lr === values["peak_lr"] ? " (chosen)" : ""}`
    );
    const updates = decimal(values["trial_updates"], 0);
    lines.push(
      `  learning rate  ${list.join(", ")}  ${paint.dim(`validation loss of trials, ${updates} updates`)}`,
    );
  }
  if (losses.length > 1) {
    const { best_validation_loss: best, best_step: step, updates } = values;
    const ends = `${lossText(losses[0])} → ${lossText(losses.at(-1))}`;
    const chosen = best === undefined
      ? ""
      : `, best ${lossText(best)} after ${decimal(step, 0)} of ${decimal(updates, 0)} updates`;
    const curve = paint.green(sparkline(losses, { width: WIDTH }));
    lines.push(`  validation loss  ${curve}  ${ends}${chosen}`);
  }
  return lines.length === 0 ? undefined : lines.join("\n");
}

/** Updates that are not made because a figure is not finite: where it was, and how many are forgiven. @module */
import { DataError } from "@/lib/tensor/errors.ts";
import type { ParameterVector } from "@/lib/models/parameters.ts";
import type { PassResult } from "@/lib/train/network.ts";
import type { Learner, Minibatch, TrainingPass } from "./minibatch.ts";

/** Where something was not finite. */
export interface NonFinite {
  /** what: a figure per token, a loss, or the gradient of a parameter */
  readonly tensor: string;
  /** the row, or the rows that the gradient is of */
  readonly rows: readonly string[];
  readonly value: number;
}

/** The first figure of a minibatch's passes that is not finite; undefined where all are. */
export function nonFiniteResult(
  minibatch: Minibatch,
  passes: readonly TrainingPass[],
  results: readonly PassResult[],
): NonFinite | undefined {
  for (const [i, { loss, tokens }] of results.entries()) {
    const { micro } = passes[i]!;
    for (const [tensor, figures] of Object.entries(tokens)) {
      const at = figures.findIndex((x) => !Number.isFinite(x));
      if (at < 0) continue;
      let end = 0;
      const member = micro.members.find((m) => (end += minibatch.sequences[m]!.targets.length) > at)!;
      return { tensor, rows: [minibatch.ids[member]!], value: figures[at]! };
    }
    if (!Number.isFinite(loss)) {
      return { tensor: "loss", rows: micro.members.map((m) => minibatch.ids[m]!), value: loss };
    }
  }
  return undefined;
}

/** The first parameter whose gradient is not finite, or of which the squares overflow. */
function nonFiniteGradient(gradients: ParameterVector): { tensor: string; value: number } {
  for (const { name } of gradients.specs) {
    const value = gradients.view(name).find((x) => !Number.isFinite(x));
    if (value !== undefined) return { tensor: `the gradient of ${name}`, value };
  }
  return { tensor: "the gradient's norm", value: Infinity };
}

/**
 * One step of the optimizer, unless the gradient is not finite: it is then thrown away.
 * @returns the norm before clipping, or what was not finite
 */
export function stepOrSkip(
  { optimizer }: Learner,
  lr: number,
  minibatch: Minibatch,
): { readonly norm: number } | { readonly skip: NonFinite } {
  const norm = optimizer.gradNorm();
  if (Number.isFinite(norm)) {
    optimizer.update(lr, norm);
    return { norm };
  }
  const skip = { ...nonFiniteGradient(optimizer.gradients), rows: minibatch.ids };
  optimizer.gradients.data.fill(0);
  return { skip };
}

/** Counts the updates that a round skips. */
export class SkippedUpdates {
  /** so far */
  count = 0;

  /** @param most updates that may be skipped */
  constructor(readonly most: number, readonly iteration: number) {}

  /**
   * Counts one.
   * @throws {DataError} if it is one too many, naming network, minibatch, tensor and row
   */
  add(network: "policy" | "critic", { number }: Minibatch, { tensor, rows, value }: NonFinite): void {
    this.count++;
    if (this.count <= this.most) return;
    const named = rows.slice(0, 3).map((id) => `"${id}"`).join(", ");
    const where = `${rows.length === 1 ? "row" : "rows"} ${named}${
      rows.length > 3 ? ` and ${rows.length - 3} more` : ""
    }`;
    throw new DataError(
      `Cannot go on training as losses and gradients must be finite, in all but max_skipped_updates ${this.most} of a round's ` +
        `updates: in round ${this.iteration}, minibatch ${number}, ${tensor} of the ${network} is ${value} for ${where}`,
    );
  }
}

/**
 * Sets demonstrations aside for an audit, and evaluation prompts for decisions inside loops. What is set aside is in no other
 * output.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { PromptSet } from "./prompt_rows.ts";
import { keysSetAside, LEAST_AUDIT_ROWS, LEAST_ROWS_WITH_AUDIT } from "./split.ts";
import { splitKey, type TokenSet } from "./token_sets.ts";

/** Demonstrations for training and, unless there are too few, those for an audit. */
export interface AuditSplit {
  readonly train: TokenSet;
  readonly audit?: TokenSet;
  /** why no demonstrations were set aside although some were requested */
  readonly warning?: string;
}

/**
 * Splits the demonstrations by prompt: `fraction` of them, at least 32, for an audit; none if there are fewer than 160.
 * @param file for messages
 * @throws {DataError} if no demonstration is left for training, as they have too few distinct prompts
 */
export function auditSplit(
  set: TokenSet,
  { fraction, seed, file }: { readonly fraction: number; readonly seed: number; readonly file: string },
): AuditSplit {
  const { samples, ...counts } = set, rows = samples.length;
  if (fraction === 0) return { train: set };
  if (rows < LEAST_ROWS_WITH_AUDIT) {
    return {
      train: set,
      warning:
        `too few for an audit: ${rows} demonstrations, at least ${LEAST_ROWS_WITH_AUDIT} are required. ` +
        "None are set aside, and without a checker nothing but the trained reward and held-out demonstrations measures the result",
    };
  }
  const least = Math.max(LEAST_AUDIT_ROWS, Math.round(fraction * rows));
  const taken = keysSetAside(samples.map(splitKey), { label: "audit", seed, least });
  const train = samples.filter((sample) => !taken.has(splitKey(sample)));
  if (train.length === 0) {
    throw new DataError(
      `${file}: audit_fraction ${fraction} must leave demonstrations for training, got ${rows} demonstrations of ` +
        `${taken.size} ${taken.size === 1 ? "prompt" : "prompts"}`,
      { file },
    );
  }
  const audit = samples.filter((sample) => taken.has(splitKey(sample)));
  return { train: { ...counts, samples: train }, audit: { samples: audit, dropped: 0, unsupervised: 0 } };
}

/** Evaluation prompts in two parts, and the held-out demonstrations of the second. */
export interface SelectionSplit {
  readonly selectionPrompts: PromptSet;
  readonly evalPrompts: PromptSet;
  readonly validation?: TokenSet | undefined;
}

/**
 * Splits evaluation prompts by their text: `fraction` of them, at least one, for decisions inside loops. Held-out demonstrations
 * of these prompts are removed from `validation`.
 * @throws {DataError} if there are fewer than two distinct prompts
 */
export function selectionSplit(
  evalPrompts: PromptSet,
  validation: TokenSet | undefined,
  { fraction, seed }: { readonly fraction: number; readonly seed: number },
): SelectionSplit {
  const { rows, texts } = evalPrompts;
  const taken = keysSetAside(texts, {
    label: "selection",
    seed,
    least: Math.max(1, Math.round(fraction * rows.length)),
  });
  const part = (isTaken: boolean): PromptSet => {
    const indices = [...rows.keys()].filter((i) => taken.has(texts[i]!) === isTaken);
    return {
      rows: indices.map((i) => rows[i]!),
      texts: indices.map((i) => texts[i]!),
      truncated: 0,
      dropped: 0,
    };
  };
  const selectionPrompts = part(true);
  const kept = { ...part(false), truncated: evalPrompts.truncated, dropped: evalPrompts.dropped };
  const demonstrations = validation?.samples.filter(({ prompt }) => !taken.has(prompt));
  if (kept.rows.length === 0 || demonstrations?.length === 0) {
    throw new DataError(
      `selection_fraction ${fraction} must leave prompts for the evaluation, got ${rows.length} evaluation prompts of ` +
        `${new Set(texts).size} ${new Set(texts).size === 1 ? "text" : "texts"}`,
    );
  }
  return {
    selectionPrompts,
    evalPrompts: kept,
    validation: validation && { ...validation, samples: demonstrations! },
  };
}

/** Names of models and data sets on the Hugging Face hub: `hf:org/name@revision`, `hf:datasets/org/name@revision`. @module */
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** A model or a data set on the hub. */
export interface ModelReference {
  readonly kind: "model" | "dataset";
  /** the text of the input */
  readonly text: string;
  /** `org/name`, or `name` for the hub's oldest models */
  readonly name: string;
  /** a branch, a tag or a commit; default `main` */
  readonly revision: string;
}

const PREFIX = "hf:", DATASETS = "datasets/";
const NAME = /^(?!.*\.\.)[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;
const REVISION = /^(?!.*\.\.)[\w][\w./+-]*$/;

/** Returns whether an input is the name of a model or a data set on the hub and not a path. */
export function isModelReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * Parses `hf:org/name` or `hf:org/name@revision`, for a data set `hf:datasets/org/name` or `hf:datasets/org/name@revision`.
 * @throws {UsageError} if it is none of them
 */
export function parseModelReference(text: string): ModelReference {
  const all = text.slice(PREFIX.length), isDataset = all.startsWith(DATASETS) && /^[^@]*\/[^@]*\//.test(all);
  const rest = isDataset ? all.slice(DATASETS.length) : all, at = rest.indexOf("@");
  const name = at < 0 ? rest : rest.slice(0, at), revision = at < 0 ? "main" : rest.slice(at + 1);
  if (isModelReference(text) && NAME.test(name) && REVISION.test(revision)) {
    return { kind: isDataset ? "dataset" : "model", text, name, revision };
  }
  throw new UsageError(`A model on the hub must be named hf:ORG/NAME or hf:ORG/NAME@REVISION, got ${text}`);
}

/** Returns whether a revision is a commit, whose files never change. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

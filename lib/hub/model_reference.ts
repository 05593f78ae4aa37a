/** Names of models on the Hugging Face hub, as inputs spell them: `hf:org/name@revision`. @module */
import { UsageError } from "@/lib/tensor/errors.ts";

/** A model on the hub. */
export interface ModelReference {
  /** as it was given */
  readonly text: string;
  /** `org/name`, or `name` for the hub's oldest models */
  readonly name: string;
  /** a branch, a tag or a commit; default `main` */
  readonly revision: string;
}

const PREFIX = "hf:";
const NAME = /^(?!.*\.\.)[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;
const REVISION = /^(?!.*\.\.)[\w][\w./+-]*$/;

/** Whether an input names a model on the hub rather than a path. */
export function isModelReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * Reads `hf:org/name` or `hf:org/name@revision`.
 * @throws {UsageError} if it is neither
 */
export function parseModelReference(text: string): ModelReference {
  const rest = text.slice(PREFIX.length), at = rest.indexOf("@");
  const name = at < 0 ? rest : rest.slice(0, at), revision = at < 0 ? "main" : rest.slice(at + 1);
  if (isModelReference(text) && NAME.test(name) && REVISION.test(revision)) return { text, name, revision };
  throw new UsageError(
    `Cannot take ${text} as a model on the hub must be named hf:ORG/NAME or hf:ORG/NAME@REVISION: it is not`,
  );
}

/** Whether a revision is a commit, which always means the same files. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

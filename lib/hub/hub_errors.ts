/** Failures of the hub as errors of the project, each with one message and the exit code that fits. @module */
import { HubApiError } from "@huggingface/hub";
import { DataError, TryAgainError, UnavailableError, UsageError } from "@/lib/tensor/errors.ts";
import type { ModelReference } from "./model_reference.ts";

/** Errors of the project say already what they are. */
const PASSED = [DataError, UsageError, TryAgainError, UnavailableError];

/** The hub that is asked, by whom, for what. */
export interface Hub {
  readonly reference: ModelReference;
  /** without a slash at its end */
  readonly endpoint: string;
  readonly token?: string | undefined;
}

/**
 * What a failure means: 401, 403 and 404 are a name or a token that the caller must change (exit code 64); everything
 * else is a service that is not there (69). Errors of the project pass through.
 * @param part of the model, such as `config.json of `; empty for the whole of it
 */
export function hubError({ reference, endpoint, token }: Hub, part: string, cause: unknown): Error {
  if (PASSED.some((kind) => cause instanceof kind)) return cause as Error;
  const what = `Cannot download ${part}${reference.text}`;
  if (cause instanceof HubApiError && [401, 403, 404].includes(cause.statusCode)) {
    return new UsageError(
      `${what} as ${endpoint} must have that model and revision and open it to ${
        token === undefined ? "everyone (HF_TOKEN is not set)" : "the bearer of HF_TOKEN"
      }: it answers with status ${cause.statusCode}`,
      { cause },
    );
  }
  return new UnavailableError(`${what} as ${endpoint} must answer: ${reasonOf(cause)}`, { cause });
}

/** The innermost reason, on one line: `fetch` wraps that of the connection. */
function reasonOf(cause: unknown): string {
  if (cause instanceof HubApiError) return `it answers with status ${cause.statusCode}`;
  let inner = cause;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return (inner instanceof Error ? inner.message : String(inner)).split("\n")[0]!;
}

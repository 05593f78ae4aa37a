/** Failures of the hub as errors of the project, with the matching exit codes. @module */
import { HubApiError } from "@huggingface/hub";
import { DataError, TryAgainError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { ModelReference } from "./model_reference.ts";

/** Errors of the project, which are returned unchanged. */
const PASSED = [DataError, UsageError, TryAgainError, UnavailableError];

/** A model on a hub, and the access to it. */
export interface Hub {
  readonly reference: ModelReference;
  /** without a slash at its end */
  readonly endpoint: string;
  readonly token?: string | undefined;
  /** longest time without a byte; default 60,000 */
  readonly silenceMs?: number;
}

/**
 * Returns the error for a failure: for 401, 403 and 404 the caller must change the name or the token (exit code 64); anything
 * else is an unavailable service (69). Errors of the project are returned unchanged.
 * @param part of the model, such as `config.json of `; empty for all of it
 */
export function hubError({ reference, endpoint, token }: Hub, part: string, cause: unknown): Error {
  if (PASSED.some((kind) => cause instanceof kind)) return cause as Error;
  const what = `Cannot download ${part}${reference.text}`;
  if (cause instanceof HubApiError && [401, 403, 404].includes(cause.statusCode)) {
    const access = token === undefined
      ? "is private (HF_TOKEN is not set)"
      : "is not accessible with HF_TOKEN";
    return new UsageError(
      `${what}: ${endpoint} has no such model and revision, or it ${access}; status ${cause.statusCode}`,
      { cause },
    );
  }
  return new UnavailableError(`${what}: request to ${endpoint} failed: ${innerReason(cause)}`, { cause });
}

/** Returns the innermost reason on one line; `fetch` wraps that of the connection. */
function innerReason(cause: unknown): string {
  if (cause instanceof HubApiError) return `status ${cause.statusCode}`;
  let inner = cause;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return (inner instanceof Error ? inner.message : String(inner)).split("\n")[0]!;
}

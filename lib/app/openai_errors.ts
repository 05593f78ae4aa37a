/** Errors of the OpenAI-compatible routes: `{"error": {"message", "type", "param", "code"}}` with a status. @module */
import { EXIT, exitCodeOf, UsageError } from "@/lib/compute/tensor/errors.ts";
import { QueueFullError } from "./model_pool.ts";

/** Statuses of these routes. */
export type OpenAiStatus = 400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503;

/** A request that is refused because of one field or several. */
export class InvalidFieldError extends UsageError {
  override name = "InvalidFieldError";
  constructor(message: string, readonly param: string | null) {
    super(message);
  }
}

const TYPES: Readonly<Record<OpenAiStatus, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "invalid_request_error",
  415: "invalid_request_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
};

/** Returns the body of an error. */
export function openAiError(
  status: OpenAiStatus,
  message: string,
  { param = null, code = null }: { readonly param?: string | null; readonly code?: string | null } = {},
): { readonly error: Readonly<Record<string, string | null>> } {
  return { error: { message, type: TYPES[status], param, code } };
}

/** Returns the status and the body's fields of an error that was thrown. */
export function openAiStatusOf(
  error: unknown,
): { readonly status: OpenAiStatus; readonly param: string | null; readonly code: string | null } {
  const param = error instanceof InvalidFieldError ? error.param : null;
  const exitCode = exitCodeOf(error), message = error instanceof Error ? error.message : "";
  if (exitCode === EXIT.usage) {
    const isLong = message.startsWith("This model's maximum context length");
    return { status: 400, param, code: isLong ? "context_length_exceeded" : null };
  }
  if (error instanceof QueueFullError) {
    return { status: 429, param, code: "queue_full" };
  }
  const status = exitCode === EXIT.unavailable || exitCode === EXIT.tryAgain ? 503 : 500;
  return { status, param, code: null };
}

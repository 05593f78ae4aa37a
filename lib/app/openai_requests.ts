/** Bodies of `POST /v1/completions` and `POST /v1/chat/completions`, as requests to an engine. @module */
import { z } from "zod";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { Message } from "@/lib/data/text/chat_template.ts";
import type { CompletionRequest } from "@/lib/model/serve/completion.ts";
import { InvalidFieldError } from "./openai_errors.ts";
import { withoutIdleFields } from "./openai_fields.ts";

/** A request, and how it is answered. */
export interface OpenAiRequest {
  readonly model: string;
  readonly request: CompletionRequest;
  /** whether a stream ends with the number of tokens */
  readonly includeUsage: boolean;
  /** of a chat: number of most probable tokens; null: no log-probabilities */
  readonly topLogprobs: number | null;
}

/** Most responses per prompt. */
const MOST_CHOICES = 128;
/** Most prompts in a request. */
const MOST_PROMPTS = 1024;
/** Most tokens per place whose log-probabilities a request gets. */
const MOST_LOGPROBS = 100;

const Stop = z.string().min(1).max(1000);
const Ids = z.array(z.int().min(0)).min(1);

const SHARED = {
  model: z.string(),
  temperature: z.number().min(0).max(2).default(1),
  top_p: z.number().gt(0).max(1).default(1),
  top_k: z.int().min(-1).default(0),
  n: z.int().min(1).max(MOST_CHOICES).default(1),
  stop: z.union([Stop, z.array(Stop).max(64)]).default([]),
  seed: z.int().min(0).optional(),
  stream: z.boolean().default(false),
  stream_options: z.strictObject({
    include_usage: z.boolean().default(false),
    include_obfuscation: z.boolean().optional(),
  }).optional(),
  ignore_eos: z.boolean().default(false),
};

const CompletionBody = z.object({
  ...SHARED,
  prompt: z.union([
    z.string(),
    Ids,
    z.array(z.string()).min(1).max(MOST_PROMPTS),
    z.array(Ids).min(1).max(MOST_PROMPTS),
  ]),
  max_tokens: z.int().min(0).default(16),
  logprobs: z.int().min(0).max(MOST_LOGPROBS).optional(),
  echo: z.boolean().default(false),
});

const Part = z.object({ type: z.literal("text"), text: z.string() });

const ChatBody = z.object({
  ...SHARED,
  messages: z.array(z.looseObject({
    role: z.string(),
    content: z.union([z.string(), z.array(Part)]).nullish(),
  })).min(1),
  max_tokens: z.int().min(1).optional(),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().default(false),
  top_logprobs: z.int().min(0).max(MOST_LOGPROBS).optional(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).optional(),
});

/** Reads a body of `POST /v1/completions`. @throws {InvalidFieldError} naming the fields that are wrong */
export function readCompletionBody(body: unknown): OpenAiRequest {
  const read = parse(CompletionBody, body), { prompt, logprobs = null, max_tokens: maxTokens, echo } = read;
  const prompts = typeof prompt === "string"
    ? [prompt]
    : typeof prompt[0] === "number"
    ? [prompt as number[]]
    : prompt as string[] | number[][];
  const request = { ...sharedPart(read), prompts, maxTokens, logprobs, echo };
  return { model: read.model, request, includeUsage: usageOf(read), topLogprobs: logprobs };
}

/** Reads a body of `POST /v1/chat/completions`. @throws {InvalidFieldError} naming the fields that are wrong */
export function readChatBody(body: unknown): OpenAiRequest {
  const read = parse(ChatBody, body);
  const { messages, logprobs: isScored, top_logprobs: top, chat_template_kwargs: templateVariables } = read;
  const { max_tokens: old, max_completion_tokens: most = old } = read;
  if (old !== undefined && most !== old) {
    throw new InvalidFieldError(
      `max_tokens must equal max_completion_tokens if both are given, got ${old} and ${most}`,
      "max_tokens",
    );
  }
  if (top !== undefined && !isScored) {
    throw new InvalidFieldError(`top_logprobs requires logprobs=true, got ${isScored}`, "top_logprobs");
  }
  const topLogprobs = isScored ? top ?? 0 : null;
  const request: CompletionRequest = {
    ...sharedPart(read),
    messages: messages.map(({ content, ...rest }): Message => ({ ...rest, content: textOf(content) })),
    ...(templateVariables && { templateVariables }),
    maxTokens: most ?? null,
    logprobs: topLogprobs,
    echo: false,
  };
  return { model: read.model, request, includeUsage: usageOf(read), topLogprobs };
}

function textOf(content: string | readonly { readonly text: string }[] | null | undefined): string | null {
  if (content === null || content === undefined) return null;
  return typeof content === "string" ? content : content.map(({ text }) => text).join("");
}

type Shared = z.infer<z.ZodObject<typeof SHARED>>;

function sharedPart(
  { temperature, top_p: topP, top_k: topK, n, stop, seed, stream, ignore_eos: ignoreEos }: Shared,
): Pick<CompletionRequest, "sampling" | "n" | "stops" | "seed" | "stream" | "ignoreEos"> {
  return {
    sampling: { temperature, topP, topK: Math.max(0, topK) },
    n,
    stops: typeof stop === "string" ? [stop] : stop,
    seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!,
    stream,
    ignoreEos,
  };
}

function usageOf({ stream, stream_options: options }: Shared): boolean {
  if (options && !stream) {
    throw new InvalidFieldError(`stream_options requires stream=true, got ${stream}`, "stream_options");
  }
  return options?.include_usage ?? false;
}

function parse<T extends z.ZodRawShape>(schema: z.ZodObject<T>, body: unknown): z.infer<z.ZodObject<T>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new InvalidFieldError(
      `The request must be a JSON object, got ${JSON.stringify(body)?.slice(0, 100)}`,
      null,
    );
  }
  const fields = withoutIdleFields(body as Record<string, unknown>, Object.keys(schema.shape));
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  const [first = null] = result.error.issues[0]!.path;
  throw new InvalidFieldError(`Invalid fields: ${listed(problems)}`, first === null ? null : String(first));
}

/**
 * Fields of OpenAI's requests that have no effect here: those that are ignored, and those that are refused unless their value
 * changes nothing. Every other field is either read or unknown, and unknown ones are refused.
 * @module
 */
import { listed } from "@/lib/compute/tensor/listed.ts";
import { InvalidFieldError } from "./openai_errors.ts";

/** Fields about the caller, its account or a cache: ignored. */
const IGNORED_FIELDS: readonly string[] = [
  ...["metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"],
  ...["service_tier", "store", "user"],
];

const isEmpty = (value: unknown) => typeof value === "object" && Object.keys(value as object).length === 0;
const is = (...values: readonly unknown[]) => (value: unknown) => values.includes(value);

/** Fields that are not supported, with the values that change nothing; null never does. */
const UNSUPPORTED: Readonly<
  Record<string, (value: unknown, body: Readonly<Record<string, unknown>>) => boolean>
> = {
  audio: () => false,
  best_of: (value, { n }) => value === (n ?? 1),
  frequency_penalty: is(0),
  function_call: is("none", "auto"),
  functions: isEmpty,
  guided_choice: () => false,
  guided_json: () => false,
  guided_regex: () => false,
  logit_bias: isEmpty,
  min_p: is(0),
  min_tokens: is(0),
  modalities: (value) => JSON.stringify(value) === '["text"]',
  moderation: () => false,
  prediction: () => false,
  presence_penalty: is(0),
  reasoning_effort: is("none"),
  repetition_penalty: is(1),
  response_format: (value) => JSON.stringify(value) === '{"type":"text"}',
  suffix: is(""),
  tool_choice: is("none", "auto"),
  tools: isEmpty,
  use_beam_search: is(false),
  verbosity: is("medium"),
  web_search_options: () => false,
};

/**
 * Returns the body without fields that have no effect, and without those that are null.
 * @param known fields that are read
 * @throws {InvalidFieldError} naming every other field
 */
export function withoutIdleFields(
  body: Readonly<Record<string, unknown>>,
  known: readonly string[],
): Record<string, unknown> {
  const rest: Record<string, unknown> = {}, unsupported: string[] = [], unknown: string[] = [];
  for (const [name, value] of Object.entries(body)) {
    const check = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined;
    if (known.includes(name)) {
      if (value !== null) rest[name] = value;
    } else if (check) {
      if (value !== null && !check(value, body)) unsupported.push(name);
    } else if (!IGNORED_FIELDS.includes(name)) unknown.push(name);
  }
  const problems = [
    ...(unsupported.length > 0 ? [`unsupported fields: ${listed(unsupported, { separator: ", " })}`] : []),
    ...(unknown.length > 0 ? [`unknown fields: ${listed(unknown, { separator: ", " })}`] : []),
  ];
  if (problems.length === 0) return rest;
  const [first = null] = [...unsupported, ...unknown];
  throw new InvalidFieldError(
    `The request must have supported fields only, got ${problems.join("; ")}`,
    first,
  );
}

/**
 * Compares the outputs of two models by an OpenAI-compatible judge, as the annotator weighted_alpaca_eval_gpt4_turbo of alpaca-eval: the
 * preference is the judge's probability of the token `m` against `M`, and half of the pairs are shown in the other order.
 * @module
 */
import { createHash } from "node:crypto";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { PythonRandom } from "../python/random.ts";
import type { AlpacaOutput } from "./alpaca_outputs.ts";
import { judgeMessages } from "./judge_prompt.ts";
import type { AlpacaAnnotation } from "./win_rates.ts";

/** A judge. */
export interface Judge {
  /** base address, such as https://api.example/v1 */
  readonly url: string;
  readonly model: string;
  readonly token?: string | undefined;
  /** requests at the same time */
  readonly parallel?: number;
  /** called after every pair; may throw to stop */
  readonly onPair?: () => void;
}

/** An annotation in alpaca-eval's format. */
export interface JudgedPair extends AlpacaAnnotation {
  readonly instruction: string;
  readonly generator_1: string;
  readonly generator_2: string;
  readonly annotator: string;
}

const TIMEOUT_MS = 120_000, ATTEMPTS = 3, MOST_BYTES = 1 << 20;

/**
 * Returns an annotation for each instruction of `outputs`, in order.
 * @param baseline outputs of the baseline, among them one for each instruction
 * @throws {DataError} if the baseline lacks an instruction, or a reply has no log-probabilities
 * @throws {UnavailableError} if the judge fails three times
 */
export async function judgePairs(
  baseline: readonly AlpacaOutput[],
  outputs: readonly AlpacaOutput[],
  judge: Judge,
): Promise<JudgedPair[]> {
  const known = new Map(baseline.map((row) => [row.instruction, row]));
  const missing = outputs.filter(({ instruction }) => !known.has(instruction)).length;
  if (missing > 0) {
    throw new DataError(`The baseline must have an output for every instruction, got none for ${missing}`);
  }
  const found = new Array<JudgedPair>(outputs.length);
  let next = 0;
  const work = async () => {
    for (let i = next++; i < outputs.length; i = next++) {
      const { instruction, output, generator } = outputs[i]!, base = known.get(instruction)!;
      const isSwitched = switches(instruction);
      const [first, second] = isSwitched ? [output, base.output] : [base.output, output];
      const preference = await preferenceOf(judge, { instruction, output_1: first, output_2: second });
      judge.onPair?.();
      found[i] = {
        instruction,
        output_1: base.output,
        generator_1: base.generator,
        output_2: output,
        generator_2: generator,
        annotator: judge.model,
        preference: preference !== null && isSwitched ? 3 - preference : preference,
      };
    }
  };
  await Promise.all(Array.from({ length: judge.parallel ?? 4 }, work));
  return found;
}

/** Returns alpaca-eval's choice for an instruction: Python's `random.Random(text).choices([False, True])`. */
export function switches(instruction: string): boolean {
  const text = new TextEncoder().encode(`is_switch_output_1_output_2${instruction}123`);
  const digest = createHash("sha512").update(text).digest();
  return PythonRandom.ofBytes(Uint8Array.from([...text, ...digest])).random() >= 0.5;
}

async function preferenceOf(
  judge: Judge,
  values: Parameters<typeof judgeMessages>[0],
): Promise<number | null> {
  const body = JSON.stringify({
    model: judge.model,
    messages: judgeMessages(values),
    max_tokens: 1,
    temperature: 1,
    logprobs: true,
    top_logprobs: 5,
  });
  const headers = {
    "Content-Type": "application/json",
    ...(judge.token === undefined ? {} : { Authorization: `Bearer ${judge.token}` }),
  };
  const address = `${judge.url.replace(/\/$/, "")}/chat/completions`;
  let reason = "";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const reply = await fetch(address, { method: "POST", headers, body, signal, redirect: "error" });
      const text = await textWithin(reply, address);
      if (reply.ok) return parsePreference(text, address);
      reason = `status ${reply.status}`;
      if (reply.status < 500 && reply.status !== 429) break;
    } catch (error) {
      if (error instanceof DataError) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  throw new UnavailableError(`Judge ${address} must reply with status 200, got ${reason}`);
}

/** @throws {DataError} if the reply has more than 1 MiB */
async function textWithin(reply: Response, address: string): Promise<string> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const part of reply.body ?? []) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new DataError(`Judge ${address} must reply with at most 1 MiB, got more`);
    parts.push(part);
  }
  return await new Blob(parts).text();
}

/**
 * Returns 2 − P(m) / (P(m) + P(M)) of a reply; null if neither token is among the most probable.
 * @throws {DataError} if the reply has no log-probabilities
 */
export function parsePreference(text: string, address: string): number | null {
  const top = topLogprobs(text);
  if (top === undefined) {
    throw new DataError(
      `Judge ${address} must reply with choices[0].logprobs.content[0].top_logprobs, got ${
        text.slice(0, 100)
      }`,
    );
  }
  const logprobOf = (token: string) => {
    const entry = top.find((row) => isJsonObject(row) && row.token === token);
    return isJsonObject(entry) && typeof entry.logprob === "number" ? entry.logprob : -Infinity;
  };
  const first = logprobOf("m"), second = logprobOf("M");
  if (first === -Infinity && second === -Infinity) return null;
  return 2 - 1 / (1 + Math.exp(second - first));
}

function topLogprobs(text: string): readonly unknown[] | undefined {
  try {
    const top = JSON.parse(text)?.choices?.[0]?.logprobs?.content?.[0]?.top_logprobs;
    return Array.isArray(top) ? top : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

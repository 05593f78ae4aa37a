/**
 * One model that completes prompts for many callers at a time: their responses decode in one running batch, and their prompts
 * are scored together. A response depends on the model and its request, and on nothing else.
 * @module
 */
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { ChatTemplate } from "@/lib/data/text/chat_template.ts";
import { loadChatTemplate } from "@/lib/data/text/load_chat_template.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { draw, mostProbable } from "@/lib/model/generate/sampler.ts";
import { RunningBatch } from "@/lib/model/generate/running_batch.ts";
import { loadLanguageModel } from "@/lib/model/models/checkpoint.ts";
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import { type Work, yieldToEventLoop } from "@/lib/model/train/event_loop.ts";
import { Network } from "@/lib/model/train/network.ts";
import { uniform } from "@/lib/compute/random/uniform.ts";
import { streamDecoder } from "@/lib/data/text/stream_decoder.ts";
import type { Completion, CompletionChoice, CompletionRequest, TokenScore } from "./completion.ts";
import { type PromptScores, promptScores, type PromptToScore } from "./prompt_scores.ts";
import { ResponseInProgress, tokenScore } from "./response.ts";
import { textDirectory } from "./text_directory.ts";
import { type TokenText, tokenTexts } from "./token_texts.ts";

/** Size of an engine. */
export interface EngineOptions {
  /** sequences that decode at the same time */
  readonly slots: number;
  /** tokens of the longest sequence: prompt and response; at most the model's context */
  readonly tokens: number;
  /** chat template for a model without its own: a built-in one or a path that ends with .jinja */
  readonly template?: string | undefined;
  /** the time that templates see */
  readonly clock: () => Date;
}

/** How a caller follows its request. */
export interface CompletionControl {
  /** aborted when the caller is gone: its slots become free */
  readonly signal?: AbortSignal;
  /** called with new parts of the responses, if the request streams */
  readonly onPart?: (part: CompletionChoice) => void;
}

/** A prompt that waits for its scores. */
interface ScoreJob extends PromptToScore {
  readonly isCancelled: () => boolean;
  readonly resolve: (scores: PromptScores) => void;
  readonly reject: (error: unknown) => void;
}

/** A prompt that is echoed: its text, and the scores of its tokens. */
interface Echo {
  readonly text: string;
  readonly scores: readonly TokenScore[] | undefined;
  readonly last: Float32Array | undefined;
}

const NO_ECHO: Echo = { text: "", scores: undefined, last: undefined };

/** Prompts that are scored together. */
const SCORED_TOGETHER = 64;

/** A loaded model with its running batch. */
export class Engine {
  readonly #batch: RunningBatch;
  readonly #scoring: ScoreJob[] = [];
  /** settle the calls of `complete()`: called with the error that ended the loop */
  readonly #callers = new Set<(error: unknown) => void>();
  #work: { readonly jobs: readonly ScoreJob[]; readonly work: Work<PromptScores[]> } | undefined;
  #isRunning = false;

  private constructor(
    readonly tokenizer: Tokenizer,
    readonly template: ChatTemplate | undefined,
    readonly network: Network,
    readonly textOf: TokenText,
    readonly tokens: number,
    slots: number,
  ) {
    this.#batch = new RunningBatch(network, { slots, tokens });
  }

  /**
   * Loads and compiles the model of a directory; an adapter is merged into its base.
   * @throws {DataError} if a file is missing or invalid
   */
  static async load(directory: string, { slots, tokens, template, clock }: EngineOptions): Promise<Engine> {
    const { model, parameters } = mergedModel(loadLanguageModel(directory));
    const texts = textDirectory(directory) ?? directory, tokenizer = loadTokenizer(texts);
    const own = loadChatTemplate(texts, { template: "model", clock: clock() });
    const chat = own ??
      (template === undefined ? undefined : loadChatTemplate(texts, { template, clock: clock() }));
    const textOf = await tokenTexts(tokenizer);
    const most = Math.min(tokens, model.contextLength);
    return new Engine(tokenizer, chat, new Network(model, parameters), textOf, most, slots);
  }

  /**
   * Returns the responses to a request.
   * @throws {UsageError} if the request does not fit the model
   */
  async complete(request: CompletionRequest, control: CompletionControl = {}): Promise<Completion> {
    const prompts = await this.#promptIds(request);
    const maxTokens = this.#room(prompts, request);
    const isCancelled = () => control.signal?.aborted ?? false;
    const echoes = await Promise.all(
      prompts.map((ids, i) => this.#echo(ids, i, request, maxTokens, isCancelled)),
    );
    const responses: ResponseInProgress[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let open = prompts.length * request.n;
    const onEnd = () => --open === 0 && resolve();
    const onPart = (part: CompletionChoice) => control.onPart?.(part);
    for (const [p, ids] of prompts.entries()) {
      const { text, scores, last } = echoes[p]!;
      for (let sample = 0; sample < request.n; sample++) {
        const index = p * request.n + sample;
        if (request.stream && (request.echo || maxTokens === 0)) {
          onPart({ index, text, ...(scores && { scores }), finishReason: maxTokens === 0 ? "length" : null });
        }
        const setting = { index, ids, sample, maxTokens, offset: text.length, isCancelled, onPart, onEnd };
        const response = new ResponseInProgress(request, {
          ...setting,
          tokenizer: this.tokenizer,
          textOf: this.textOf,
        });
        responses.push(response);
        if (maxTokens === 0) onEnd();
        else if (last) response.accept(drawnAfter(last, response), last);
        else this.#batch.add(response);
      }
    }
    control.signal?.addEventListener("abort", () => reject(control.signal!.reason), { once: true });
    if (control.signal?.aborted) reject(control.signal.reason);
    await this.#untilSettled(promise, reject);
    return {
      choices: responses.map(({ choice }, i) => wholeChoice(choice, echoes[Math.floor(i / request.n)]!)),
      promptTokens: prompts.reduce((sum, { length }) => sum + length, 0),
      completionTokens: responses.reduce((sum, { tokens }) => sum + tokens, 0),
    };
  }

  async #promptIds({ prompts, messages, templateVariables }: CompletionRequest): Promise<Int32Array[]> {
    const { tokenizer, template, network: { model } } = this;
    let all: readonly (string | readonly number[])[] = prompts ?? [], special = true;
    if (messages) {
      if (!template) {
        throw new UsageError("messages require a chat template, got a model without one (--chat-template)");
      }
      const options = {
        addGenerationPrompt: true,
        ...(templateVariables && { variables: templateVariables }),
      };
      try {
        all = [template.render(messages, options).text];
      } catch (error) {
        if (error instanceof DataError) throw new UsageError(error.message, { cause: error });
        throw error;
      }
      special = false; // the template writes them
    }
    const encoded = await tokenizer.encodeAll(all.filter((prompt) => typeof prompt === "string"), {
      special,
    });
    const problems: string[] = [];
    let next = 0;
    const ids = all.map((prompt, i) => {
      const found = typeof prompt === "string" ? encoded[next++]! : Int32Array.from(prompt);
      const bad = found.find((id) => id < 0 || id >= model.vocabSize);
      if (found.length === 0) problems.push(`prompt ${i} has none`);
      if (bad !== undefined) problems.push(`prompt ${i} has ${bad}`);
      return found;
    });
    if (problems.length === 0) return ids;
    throw new UsageError(
      `A prompt must have at least one token, with ids from 0 to ${model.vocabSize - 1}: ${listed(problems)}`,
    );
  }

  /** Returns the most tokens of each response. */
  #room(prompts: readonly Int32Array[], { maxTokens }: CompletionRequest): number {
    const longest = prompts.reduce((most, { length }) => Math.max(most, length), 0),
      free = this.tokens - longest;
    if (maxTokens === null ? free >= 1 : free >= maxTokens) return maxTokens ?? free;
    throw new UsageError(
      `This model's maximum context length is ${this.tokens} tokens, got ${longest} of the prompt and ` +
        `${maxTokens ?? 1} of the response (max_tokens)`,
    );
  }

  /** Returns what is echoed of a prompt. */
  async #echo(
    ids: Int32Array,
    at: number,
    { prompts, echo, logprobs }: CompletionRequest,
    maxTokens: number,
    isCancelled: () => boolean,
  ): Promise<Echo> {
    if (!echo) return NO_ECHO;
    const given = prompts?.[at], isText = typeof given === "string", { tokenizer, textOf } = this;
    const text = isText ? given : tokenizer.decode(ids);
    if (logprobs === null) return { ...NO_ECHO, text };
    let last: Float32Array | undefined;
    // The distribution of one token after the prompt is part of the same pass.
    const onLast = maxTokens === 1 ? (row: Float32Array) => void (last = row.slice()) : undefined;
    const { logprobs: values, top } = await this.#score(
      { ids, top: logprobs, ...(onLast && { onLast }) },
      isCancelled,
    );
    const offsets = offsetsOf(ids, text.length, tokenizer, isText);
    const scores = Array.from(ids, (id, t): TokenScore => {
      const offset = offsets[t]!;
      if (t === 0) return { text: textOf(id), logprob: null, offset, top: null };
      return tokenScore({ id, logprob: values[t - 1]!, offset }, top[t - 1]!, textOf);
    });
    return { text, scores, last };
  }

  async #score(prompt: PromptToScore, isCancelled: () => boolean): Promise<PromptScores> {
    const { promise, resolve, reject } = Promise.withResolvers<PromptScores>();
    this.#scoring.push({ ...prompt, isCancelled, resolve, reject });
    return await this.#untilSettled(promise, reject);
  }

  /** Runs the loop until `promise` is settled; if the loop fails, `reject` is called. */
  async #untilSettled<T>(promise: Promise<T>, reject: (error: unknown) => void): Promise<T> {
    this.#callers.add(reject);
    if (!this.#isRunning) void this.#loop();
    try {
      return await promise;
    } finally {
      this.#callers.delete(reject);
    }
  }

  /** Alternates decoding steps and passes over prompts until none is left. */
  async #loop(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#batch.running + this.#batch.waiting > 0 || this.#scoring.length > 0 || this.#work) {
        this.#batch.step();
        this.#scoreSome();
        await yieldToEventLoop();
      }
    } catch (error) {
      this.#work = undefined;
      for (const reject of this.#callers) reject(error);
    } finally {
      this.#isRunning = false;
    }
  }

  #scoreSome(): void {
    if (!this.#work) {
      const jobs = this.#scoring.splice(0, SCORED_TOGETHER).filter((job) => {
        if (job.isCancelled()) job.reject(new UsageError("The request was cancelled"));
        return !job.isCancelled();
      });
      if (jobs.length === 0) return;
      this.#work = { jobs, work: promptScores(this.network, jobs) };
    }
    const { jobs, work } = this.#work, step = work.next();
    if (!step.done) return;
    this.#work = undefined;
    jobs.forEach(({ resolve }, i) => resolve(step.value[i]!));
  }
}

/** Returns the choice with the echoed prompt before it. */
function wholeChoice(choice: CompletionChoice, { text, scores }: Echo): CompletionChoice {
  return {
    ...choice,
    text: text + choice.text,
    ...(choice.scores && { scores: [...scores ?? [], ...choice.scores] }),
    finishReason: choice.finishReason ?? "length",
  };
}

/** Returns the token that a response draws from the log-probabilities after its prompt. */
function drawnAfter(logprobs: Float32Array, { sampling, key }: ResponseInProgress): number {
  const { temperature } = sampling;
  if (temperature === 0) return mostProbable(logprobs).id;
  const weights = Float64Array.from(logprobs, (x) => Math.exp(x / temperature));
  const sum = weights.reduce((a, b) => a + b, 0);
  return draw(Float32Array.from(weights, (x) => x / sum), uniform(key, 0), sampling).id;
}

/** Returns where the text of each token of a prompt begins. @param most length of the whole text */
function offsetsOf(ids: Int32Array, most: number, tokenizer: Tokenizer, skipSpecial: boolean): number[] {
  const decoder = streamDecoder(tokenizer.decode, { skipSpecial });
  let at = 0;
  return Array.from(ids, (id) => {
    const begin = Math.min(at, most);
    at += decoder.push(id).length;
    return begin;
  });
}

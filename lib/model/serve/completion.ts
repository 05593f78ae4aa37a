/** What a model is to complete, and what it returns; all of it can be sent as JSON. @module */
import type { Message } from "@/lib/data/text/chat_template.ts";
import type { Sampling } from "@/lib/model/generate/sampler.ts";

/** Text or ids to continue. */
export type Prompt = string | readonly number[];

/** A request to one model. */
export interface CompletionRequest {
  /** texts or ids; exactly one of `prompts` and `messages` is given */
  readonly prompts?: readonly Prompt[];
  /** a conversation, to which the model's chat template is applied */
  readonly messages?: readonly Message[];
  /** other variables of the template */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** responses per prompt */
  readonly n: number;
  readonly sampling: Sampling;
  /** most tokens of a response; null: as many as fit */
  readonly maxTokens: number | null;
  /** texts that end a response and are not part of it */
  readonly stops: readonly string[];
  /** response i of a prompt follows from it, i and the prompt */
  readonly seed: number;
  /** number of most probable tokens to return with each token; null: no log-probabilities at all */
  readonly logprobs: number | null;
  /** whether the text begins with the prompt, and the log-probabilities with those of its tokens */
  readonly echo: boolean;
  /** whether end tokens do not end a response */
  readonly ignoreEos: boolean;
  /** whether parts of the text are returned as they arrive */
  readonly stream: boolean;
  /** whether choices have the ids of prompt and response. Default: false */
  readonly returnIds?: boolean;
}

/** A token with its log-probability at temperature 1, without top-k and top-p. */
export interface TokenScore {
  readonly text: string;
  /** nats; null for the first token of a prompt */
  readonly logprob: number | null;
  /** where its text begins in the text of the choice, in UTF-16 units */
  readonly offset: number;
  /** the most probable tokens, most probable first, and this token if it is not among them; null as above */
  readonly top: readonly (readonly [text: string, logprob: number])[] | null;
}

/** Why a response has ended. */
export type CompletionFinish = "stop" | "length";

/** One response, or a part of one. */
export interface CompletionChoice {
  /** prompt · n + number of the response */
  readonly index: number;
  readonly text: string;
  readonly scores?: readonly TokenScore[];
  /** of prompt and response, end token included */
  readonly ids?: { readonly prompt: readonly number[]; readonly response: readonly number[] };
  /** null: more follows */
  readonly finishReason: CompletionFinish | null;
}

/** All responses to a request. */
export interface Completion {
  /** without text where the request streams */
  readonly choices: readonly CompletionChoice[];
  /** of all prompts, each counted once */
  readonly promptTokens: number;
  /** of all responses, end tokens included */
  readonly completionTokens: number;
}

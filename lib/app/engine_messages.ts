/** What the server and the process of a model send to each other: one JSON object per line. @module */
import type { Completion, CompletionChoice, CompletionRequest } from "@/lib/model/serve/completion.ts";

/** The only argument of the process. */
export interface EngineSettings {
  readonly directory: string;
  readonly slots: number;
  /** tokens of the longest sequence */
  readonly tokens: number;
  readonly threads: number;
  /** absent: the processor */
  readonly device?: string;
  /** chat template for a model without its own */
  readonly template?: string;
}

/** To the process. */
export type EngineInput =
  | { readonly id: number; readonly request: CompletionRequest }
  | { readonly cancel: number };

/** From the process. */
export type EngineOutput =
  /** the model is loaded */
  | { readonly ready: true }
  /** the model cannot be loaded */
  | { readonly failed: string; readonly exitCode: number }
  | { readonly id: number; readonly part: CompletionChoice }
  | { readonly id: number; readonly completion: Completion }
  | { readonly id: number; readonly error: string; readonly exitCode: number };

/**
 * Renders chat templates: messages to the text format that a model was trained on, and the parts of that text inside
 * `{% generation %}`. Jinja is set up as in transformers; content is never rendered as a template; the clock is an argument,
 * so that equal inputs give equal texts.
 * @module
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { characterSwap, mendInterpreter } from "./python_values.ts";
import { strftime } from "./strftime.ts";
import { TemplateBudget, TemplateBudgetError } from "./template_budget.ts";

/** A message of a conversation. Templates may use more fields (`tool_calls`, `reasoning_content`, …). */
export interface Message extends Readonly<Record<string, unknown>> {
  readonly role: string;
  readonly content?: unknown;
}

/** Input of a template besides the messages. */
export interface RenderOptions {
  /** default: null, as in transformers */
  readonly tools?: unknown;
  /** default: null, as in transformers */
  readonly documents?: unknown;
  /** other variables, such as `enable_thinking` */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** whether the text ends with the beginning of a response; default false */
  readonly addGenerationPrompt?: boolean;
}

/** Part of a text: from `start` up to `end`, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A text and its parts inside `{% generation %}`. */
export interface Rendered {
  readonly text: string;
  readonly generated: readonly Span[];
}

/** A parsed template. */
export interface ChatTemplate {
  /** its name in messages */
  readonly name: string;
  /** whether the template marks responses with `{% generation %}` */
  readonly marksGeneration: boolean;
  /**
   * @throws {DataError} with the error that the template raised
   * @throws {TemplateBudgetError} if it takes too many steps
   */
  readonly render: (messages: readonly Message[], options?: RenderOptions) => Rendered;
}

/** Name of a template, special tokens of its tokenizer, and the time. */
export interface TemplateSetting {
  readonly name: string;
  /** texts of `bos_token`, `eos_token`, … that exist */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** the time that `strftime_now` returns, without a time zone */
  readonly clock: Date;
}

/** The tag and its end; `-` removes white space on that side. */
const GENERATION = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/** Returns a template, which is parsed when it is rendered for the first time. */
export function chatTemplate(source: string, setting: TemplateSetting): ChatTemplate {
  const { name, specialTokens, clock } = setting;
  const marksGeneration = source.search(GENERATION) >= 0;
  // The program is nearly always the same, and parsing takes longer than rendering.
  let last: { readonly text: string; readonly program: ReturnType<typeof parse> } | undefined;
  const programOf = (text: string): ReturnType<typeof parse> => {
    if (last?.text !== text) {
      last = { text, program: parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true })) };
    }
    return last.program;
  };
  const render: ChatTemplate["render"] = (messages, options = {}) => {
    const items = {
      ...specialTokens,
      messages,
      tools: options.tools ?? null,
      documents: options.documents ?? null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
      ...options.variables,
    };
    const used = source + JSON.stringify(items);
    const { swap, restore } = characterSwap(used);
    const [open, close] = unusedPair(used + swap(used));
    const budget = new TemplateBudget(used.length);
    try {
      const program = programOf(swap(markGeneration(source, open, close)));
      const environment = environmentOf(mapTexts(items, swap) as Record<string, unknown>, clock, budget);
      const interpreter = new Interpreter(environment);
      mendInterpreter(interpreter, budget);
      const { value } = interpreter.run(program) as { readonly value: string };
      return spansOf(restore(value), open, close);
    } catch (error) {
      if (error instanceof TemplateBudgetError) {
        throw new TemplateBudgetError(`The chat template of ${name} ${error.message}`);
      }
      throw new DataError(
        `The chat template of ${name} does not accept the messages: ${restore(reasonOf(error))}`,
        {},
        { cause: error },
      );
    }
  };
  return { name, marksGeneration, render };
}

/** Returns the variables and functions that transformers gives to templates. */
function environmentOf(
  items: Readonly<Record<string, unknown>>,
  clock: Date,
  budget: TemplateBudget,
): Environment {
  const environment = new Environment();
  const globals: Readonly<Record<string, unknown>> = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range: (...bounds: readonly number[]) => range(bounds, budget),
    raise_exception: (message: string) => {
      throw new SyntaxError(message);
    },
    strftime_now: (format: string) => strftime(format, clock),
  };
  for (const [key, value] of Object.entries({ ...globals, ...items })) environment.set(key, value);
  return environment;
}

/** Returns the numbers of Python's range(stop) or range(start, stop, step). */
function range(bounds: readonly number[], budget: TemplateBudget): number[] {
  const [start, stop, step] = bounds.length === 1
    ? [0, bounds[0]!, 1]
    : [bounds[0]!, bounds[1]!, bounds[2] ?? 1];
  if (step === 0) throw new RangeError("range() must have a step that is not zero");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  budget.take(length);
  return Array.from({ length }, (_, k) => start + k * step);
}

/**
 * Replaces the tags by output of marks. Each tag becomes statements, so that `trim_blocks`, `lstrip_blocks` and `-` have
 * the same effect as for the tag.
 */
function markGeneration(source: string, open: string, close: string): string {
  return source.replace(
    GENERATION,
    (_, before: string, end: string | undefined, after: string) =>
      `{%${before} set generation_mark = 0 %}{{ '${
        end === undefined ? open : close
      }' }}{% set generation_mark = 0 ${after}%}`,
  );
}

/** Returns two private-use characters that do not occur in `used`. */
function unusedPair(used: string): readonly [string, string] {
  const free: string[] = [];
  for (let code = 0xf8ff; free.length < 2 && code >= 0xe000; code--) {
    const character = String.fromCharCode(code);
    if (!used.includes(character)) free.push(character);
  }
  if (free.length < 2) {
    throw new RangeError("Two private-use characters must be unused, but the messages contain all of them");
  }
  return [free[0]!, free[1]!];
}

function spansOf(marked: string, open: string, close: string): Rendered {
  const generated: Span[] = [];
  let text = "", start: number | undefined;
  for (const piece of marked.split(new RegExp(`([${open}${close}])`))) {
    if (piece === open) start = text.length;
    else if (piece === close) {
      if (start !== undefined && start < text.length) generated.push({ start, end: text.length });
      start = undefined;
    } else text += piece;
  }
  return { text, generated };
}

/** Returns a copy of plain data with `change` applied to every text and key. */
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change(key), mapTexts(item, change)]),
  );
}

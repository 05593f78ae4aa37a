/**
 * Chat templates: messages to the text that a model was trained on. Jinja as transformers sets it up; content is data and is
 * never rendered again; the clock is given, so that equal inputs give equal texts.
 * In: a template and messages. Out: text, and which parts of it lie in `{% generation %}`.
 * @module
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { DataError } from "@/lib/tensor/errors.ts";
import { characterSwap, mendInterpreter } from "./python_values.ts";
import { strftime } from "./strftime.ts";
import { messageOf } from "./tokenizer_file.ts";

/** A turn of a conversation. Templates may know more fields (`tool_calls`, `reasoning_content`, …). */
export interface Message extends Readonly<Record<string, unknown>> {
  readonly role: string;
  readonly content?: unknown;
}

/** What a template is rendered with. */
export interface RenderOptions {
  readonly tools?: unknown;
  readonly documents?: unknown;
  /** further variables, such as `enable_thinking` */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** ends with the words that begin an answer; default false */
  readonly addGenerationPrompt?: boolean;
}

/** A span of a text: from `start` up to `end`, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A text and the parts of it that lie in `{% generation %}`. */
export interface Rendered {
  readonly text: string;
  readonly generated: readonly Span[];
}

/** A template, ready to render. */
export interface ChatTemplate {
  /** what messages call it */
  readonly name: string;
  /** whether the template marks answers with `{% generation %}` */
  readonly marksGeneration: boolean;
  /** @throws {DataError} with what the template raised */
  readonly render: (messages: readonly Message[], options?: RenderOptions) => Rendered;
}

/** What a template may know of its tokenizer: texts of special tokens by name, and the time. */
export interface TemplateSetting {
  readonly name: string;
  /** `bos_token`, `eos_token`, …; those that do not exist are left out */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** what `strftime_now` tells; a date without zone */
  readonly clock: Date;
}

/** The tag and its end; with `-`, white space on that side goes. */
const GENERATION = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/**
 * Parses a template.
 * @throws {DataError} if it is no Jinja that is known here
 */
export function chatTemplate(source: string, setting: TemplateSetting): ChatTemplate {
  const { name, specialTokens, clock } = setting;
  const marksGeneration = source.search(GENERATION) >= 0;
  // Marks and swaps are the same for nearly all messages, and so is the program; parsing takes longer than rendering.
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
      ...(options.tools !== undefined && { tools: options.tools }),
      ...(options.documents !== undefined && { documents: options.documents }),
      add_generation_prompt: options.addGenerationPrompt ?? false,
      ...options.variables,
    };
    const used = source + JSON.stringify(items);
    const { swap, restore } = characterSwap(used);
    const [open, close] = unusedPair(used + swap(used));
    try {
      const program = programOf(swap(markGeneration(source, open, close)));
      const environment = environmentOf(mapTexts(items, swap) as Record<string, unknown>, clock);
      const interpreter = new Interpreter(environment);
      mendInterpreter(interpreter);
      const { value } = interpreter.run(program) as { readonly value: string };
      return spansOf(restore(value), open, close);
    } catch (error) {
      throw new DataError(
        `Cannot render messages with the chat template of ${name} as it must accept them: ${
          restore(messageOf(error))
        }`,
        {},
        { cause: error },
      );
    }
  };
  return { name, marksGeneration, render };
}

/** The variables and functions that transformers gives to templates. */
function environmentOf(items: Readonly<Record<string, unknown>>, clock: Date): Environment {
  const environment = new Environment();
  const globals: Readonly<Record<string, unknown>> = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range,
    raise_exception: (message: string) => {
      throw new SyntaxError(message);
    },
    strftime_now: (format: string) => strftime(format, clock),
  };
  for (const [key, value] of Object.entries({ ...globals, ...items })) environment.set(key, value);
  return environment;
}

/** Python's range(stop) and range(start, stop, step). */
function range(...bounds: readonly number[]): number[] {
  const [start, stop, step] = bounds.length === 1
    ? [0, bounds[0]!, 1]
    : [bounds[0]!, bounds[1]!, bounds[2] ?? 1];
  if (step === 0) throw new RangeError("Cannot count by a step as it must not be zero: it is 0");
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, k) => start + k * step);
}

/**
 * Makes the tags write marks into the text. Each becomes statements, so that `trim_blocks`, `lstrip_blocks` and `-` do
 * what they do for the tag.
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

/** Two private characters that do not occur in `used`. */
function unusedPair(used: string): readonly [string, string] {
  const free: string[] = [];
  for (let code = 0xf8ff; free.length < 2 && code >= 0xe000; code--) {
    const character = String.fromCharCode(code);
    if (!used.includes(character)) free.push(character);
  }
  if (free.length < 2) {
    throw new RangeError(
      "Cannot mark answers as two private characters must be unused: the messages use all of them",
    );
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

/** A copy of plain data with every text, keys too, passed through `change`. */
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change(key), mapTexts(item, change)]),
  );
}

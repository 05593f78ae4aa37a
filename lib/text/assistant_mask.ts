/**
 * Which tokens of a rendered chat the assistant wrote: those that touch a span of its text.
 * In: a template, messages, a tokenizer. Out: ids and a mask, 1 = written by the assistant.
 * @module
 */
import type { ChatTemplate, Message, RenderOptions, Span } from "./chat_template.ts";
import type { Encoded } from "./tokenizer.ts";

/** Text of a chat and the parts that the assistant wrote. */
export interface AssistantText {
  readonly text: string;
  readonly spans: readonly Span[];
}

/**
 * The chat's text with the assistant's parts: what lies in `{% generation %}` where the template has such blocks, else what
 * each answer adds to the rendering of the messages before it, as far as it stands in the whole chat.
 * @returns a sentence, if the messages before an answer do not begin the whole chat, or nothing of the answer is in it, so that
 *   nobody can say who wrote what
 * @throws {DataError} if the template refuses the messages
 */
export function assistantText(
  template: ChatTemplate,
  messages: readonly Message[],
  options: RenderOptions = {},
): AssistantText | { readonly problem: string } {
  const { text, generated } = template.render(messages, options);
  if (template.marksGeneration) return { text, spans: generated };
  const spans: Span[] = [];
  for (const [k, { role }] of messages.entries()) {
    if (role !== "assistant") continue;
    const before = template.render(messages.slice(0, k), { ...options, addGenerationPrompt: true }).text;
    const after = template.render(messages.slice(0, k + 1), { ...options, addGenerationPrompt: false }).text;
    // Some templates close a whole chat with one more token (Phi 3): what `after` and the chat share is the answer's.
    const end = commonLength(after, text);
    if (!text.startsWith(before) || end <= before.length) {
      return {
        problem:
          `the template of ${template.name} writes the messages before answer ${k} differently when more follow`,
      };
    }
    spans.push({ start: before.length, end });
  }
  return { text, spans };
}

/** How many units two texts begin with that are the same. */
function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** 1 for every token that lies, even in part, in one of `spans`. Tokens without text are 0. */
export function maskOfSpans({ starts, ends }: Encoded, spans: readonly Span[]): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(starts.length);
  let k = 0;
  for (const { start, end } of spans) {
    while (k < mask.length && ends[k]! <= start) k++;
    for (let at = k; at < mask.length && starts[at]! < end; at++) {
      if (ends[at]! > start && ends[at]! > starts[at]!) mask[at] = 1;
    }
  }
  return mask;
}

/**
 * Finds the tokens of a rendered chat that belong to responses of the assistant.
 * @module
 */
import type { ChatTemplate, Message, RenderOptions, Span } from "./chat_template.ts";
import type { Encoded } from "./tokenizer.ts";

/** Text of a chat and the parts of it that are responses. */
export interface AssistantText {
  readonly text: string;
  readonly spans: readonly Span[];
}

/**
 * Returns the text of a chat with its responses: the parts inside `{% generation %}` if the template has such blocks, else
 * what each response adds to the rendering of the messages before it, up to where it differs from the whole chat.
 * @returns a problem, if the whole chat does not begin with the messages before a response, or has nothing of the response
 * @throws {DataError} if the template does not accept the messages
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
    // Some templates end a whole chat with one more token (Phi 3): the response is what `after` and the chat have in common.
    const end = commonLength(after, text);
    if (!text.startsWith(before) || end <= before.length) {
      return {
        problem: `the template of ${template.name} changes the messages before message ${k} when it is added`,
      };
    }
    spans.push({ start: before.length, end });
  }
  return { text, spans };
}

/** Returns the length of the common beginning of two texts. */
function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** Returns 1 for every token that is at least partly in one of `spans`, else 0. Tokens without text are 0. */
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

/**
 * Compares chat templates with golden cases made by transformers: texts, ids, assistant masks and errors.
 * @module
 */
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { maskOfSpans } from "@/lib/data/text/assistant_mask.ts";
import type { ChatTemplate, Message } from "@/lib/data/text/chat_template.ts";
import { loadChatTemplate } from "@/lib/data/text/load_chat_template.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";

/** One case of a cases.json. */
export interface ChatCase {
  readonly id: string;
  readonly messages: readonly Message[];
  readonly tools?: unknown;
  readonly documents?: unknown;
  readonly template_kwargs?: Readonly<Record<string, unknown>>;
  readonly template_name?: string;
  /** date and time without a time zone */
  readonly now?: string;
  readonly add_generation_prompt: boolean;
  readonly text?: string;
  readonly ids?: readonly number[];
  readonly assistant_mask?: readonly number[];
  /** error that the template raised instead of text and ids */
  readonly error?: string;
}

/** One value that differs. */
export interface ChatDifference {
  readonly id: string;
  /** text, ids, assistant_mask or error */
  readonly field: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

/** The clock of cases without one; their templates do not use it. */
const NO_CLOCK = "2024-01-01T00:00:00";

/**
 * Returns all differences between the template of `directory` and `cases`.
 * @throws {DataError} if the template or the tokenizer cannot be loaded
 */
export async function compareChatCases(
  directory: string,
  cases: readonly ChatCase[],
): Promise<ChatDifference[]> {
  const tokenizer = loadTokenizer(directory);
  const differences: ChatDifference[] = [];
  for (const chat of cases) {
    const compare = (field: string, expected: unknown, actual: unknown): void => {
      if (JSON.stringify(expected) === JSON.stringify(actual)) return;
      differences.push({ id: chat.id, field, expected, actual });
    };
    const clock = new Date(`${chat.now ?? NO_CLOCK}Z`);
    let rendered;
    try {
      rendered = templateFor(directory, chat, clock).render(chat.messages, {
        tools: chat.tools,
        documents: chat.documents,
        addGenerationPrompt: chat.add_generation_prompt,
        ...(chat.template_kwargs && { variables: chat.template_kwargs }),
      });
    } catch (error) {
      const message = reasonOf(error);
      compare("error", chat.error, chat.error && message.endsWith(`: ${chat.error}`) ? chat.error : message);
      continue;
    }
    compare("text", chat.text, rendered.text);
    const [encoded] = await tokenizer.encodeWithPlaces([rendered.text]);
    compare("ids", chat.ids, [...encoded!.ids]);
    if (chat.assistant_mask === undefined) continue;
    compare("assistant_mask", chat.assistant_mask, [...maskOfSpans(encoded!, rendered.generated)]);
  }
  return differences;
}

/** Returns the template that transformers would use: the named one, else `tool_use` if there are tools, else `default`. */
function templateFor(directory: string, chat: ChatCase, clock: Date): ChatTemplate {
  const load = (variant: string) => loadChatTemplate(directory, { template: "model", clock, variant })!;
  if (chat.template_name !== undefined || chat.tools === undefined) {
    return load(chat.template_name ?? "default");
  }
  try {
    return load("tool_use");
  } catch {
    return load("default");
  }
}

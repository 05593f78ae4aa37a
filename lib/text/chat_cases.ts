/**
 * Compares chat templates with golden cases that transformers made: texts, ids, assistant masks and errors.
 * In: the parsed cases.json of a folder, and the folder. Out: every difference.
 * @module
 */
import { maskOfSpans } from "./assistant_mask.ts";
import type { ChatTemplate, Message } from "./chat_template.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { loadTokenizer } from "./tokenizer.ts";
import { messageOf } from "./tokenizer_file.ts";

/** One case of a cases.json. */
export interface ChatCase {
  readonly id: string;
  readonly messages: readonly Message[];
  readonly tools?: unknown;
  readonly documents?: unknown;
  readonly template_kwargs?: Readonly<Record<string, unknown>>;
  readonly template_name?: string;
  /** date and time without zone */
  readonly now?: string;
  readonly add_generation_prompt: boolean;
  readonly text?: string;
  readonly ids?: readonly number[];
  readonly assistant_mask?: readonly number[];
  /** what the template raised, in place of text and ids */
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

/** The clock of cases that do not name one; their templates do not ask for it. */
const NO_CLOCK = "2024-01-01T00:00:00";

/**
 * All differences between the template of `directory` and `cases`.
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
      const message = messageOf(error);
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

/** As transformers chooses: the template that is named, else `tool_use` with tools if there is one, else `default`. */
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

/**
 * The token with which a model's own chat template ends an answer. It ends a response as the tokenizer's EOS does: Qwen's
 * template writes `<|im_end|>`, Llama 3's `<|eot_id|>`, whatever generation_config.json says.
 * In: a model directory and its special tokens. Out: the token's text.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import { loadChatTemplate } from "./load_chat_template.ts";

/** An answer that no template writes by itself. */
const ANSWER = "the answer of a turn";

/** No template's turn end depends on the date. */
const CLOCK = new Date(0);

/**
 * Text of the token that follows an answer, white space aside; undefined if there is no template, none of `tokens` follows, or
 * the template refuses a question and an answer.
 * @param tokens texts of the added tokens
 */
export function turnEndOf(modelDir: string, tokens: readonly string[]): string | undefined {
  let text: string | undefined;
  try {
    const template = loadChatTemplate(modelDir, { template: "model", clock: CLOCK });
    text = template?.render([{ role: "user", content: "a" }, { role: "assistant", content: ANSWER }]).text;
  } catch (error) {
    // It cannot be read, or wants more of a conversation: who uses the template will hear of it.
    if (!(error instanceof DataError)) throw error;
  }
  if (text === undefined) return undefined;
  const at = text.lastIndexOf(ANSWER);
  if (at < 0) return undefined;
  const after = text.slice(at + ANSWER.length).trimStart();
  const fitting = tokens.filter((token) => after.startsWith(token));
  return fitting.reduce<string | undefined>(
    (longest, token) => token.length > (longest?.length ?? 0) ? token : longest,
    undefined,
  );
}

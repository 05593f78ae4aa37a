/**
 * The token with which a model's chat template ends a response, for example `<|im_end|>` of Qwen and `<|eot_id|>` of Llama 3.
 * It is an end token even if generation_config.json does not list it.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { TemplateBudgetError } from "./template_budget.ts";

/** A response that no template contains. */
const RESPONSE = "the response of a turn";

/** The turn end does not depend on the date. */
const CLOCK = new Date(0);

/**
 * Returns the text of the token after a response, without white space; undefined if there is no template, none of `tokens`
 * follows, or the template does not accept one question and response.
 * @param tokens texts of the added tokens
 */
export function turnEndOf(modelDir: string, tokens: readonly string[]): string | undefined {
  let text: string | undefined;
  try {
    const template = loadChatTemplate(modelDir, { template: "model", clock: CLOCK });
    text = template?.render([{ role: "user", content: "a" }, { role: "assistant", content: RESPONSE }]).text;
  } catch (error) {
    // The template is invalid or requires more messages: reported when it is used.
    if (!(error instanceof DataError) || error instanceof TemplateBudgetError) throw error;
  }
  if (text === undefined) return undefined;
  const at = text.lastIndexOf(RESPONSE);
  if (at < 0) return undefined;
  const after = text.slice(at + RESPONSE.length).trimStart();
  const fitting = tokens.filter((token) => after.startsWith(token));
  return fitting.reduce<string | undefined>(
    (longest, token) => token.length > (longest?.length ?? 0) ? token : longest,
    undefined,
  );
}

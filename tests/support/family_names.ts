/** Names of all model families, as their goldens are called. @module */
import { FAMILIES } from "@/lib/models/config.ts";

/** One name per family: its `model_type` without `_text`, such as gemma3 for gemma3_text. */
export const FAMILY_NAMES: readonly string[] = Object.keys(FAMILIES).map((type) =>
  type.replace(/_text$/, "")
);

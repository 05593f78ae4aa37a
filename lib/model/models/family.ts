/** What a model family is: a function from config.json to a model. @module */
import type { Model } from "./model.ts";

/** A config and the head of the model. */
export interface ConfigInput {
  readonly json: Readonly<Record<string, unknown>>;
  readonly headKind: "lm" | "score";
  /** for messages */
  readonly path: string;
  /** `Family.className` */
  readonly className: string;
}

/** A model family, as `FAMILIES` lists it. */
export interface Family {
  /** prefix of the family's classes in transformers: a critic is `<className>ForSequenceClassification` */
  readonly className: string;
  /** for docs/families.md: what differs from other families */
  readonly features: string;
  /** for docs/families.md: config values that are rejected */
  readonly rejected: string;
  /** Returns the model of a config. @throws {DataError} if a field is missing, out of range, or not supported */
  readonly build: (input: ConfigInput) => Model;
}

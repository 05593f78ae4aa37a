/** Scores generated responses: filters that extract a result, compared with the document's target. @module */
import { choiceExtract } from "../filters/choice_filter.ts";
import { exactMatch, type ExactMatchOptions } from "../filters/exact_match.ts";
import { regexExtract, type RegexFilter } from "../filters/regex_filter.ts";
import { fillTemplate } from "./fill_template.ts";
import type { BenchmarkDocument, Generation } from "./task.ts";

/** A filter of a task. */
export interface NamedFilter extends RegexFilter {
  readonly name: string;
  /** fall back to the texts of the document's `choices` */
  readonly readsChoices?: boolean;
}

/** Returns a scorer with the metric `exact_match` after each of the filters. */
export function filteredScorer(
  { filters, target, options }: {
    readonly filters: readonly NamedFilter[];
    /** template */
    readonly target: string;
    readonly options: ExactMatchOptions;
  },
): Generation["score"] {
  return (doc, response) => {
    const metrics: Record<string, number> = {}, extracted: Record<string, string> = {};
    const reference = fillTemplate(target, doc);
    for (const filter of filters) {
      const found = filter.readsChoices
        ? choiceExtract(filter, response, choicesOf(doc))
        : regexExtract(filter, response);
      extracted[filter.name] = found;
      metrics[`exact_match,${filter.name}`] = exactMatch(found, reference, options);
    }
    return { metrics, extracted };
  };
}

function choicesOf(doc: BenchmarkDocument): readonly string[] {
  return Array.isArray(doc.choices) ? doc.choices.map(String) : [];
}

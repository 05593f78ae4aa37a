/** Phrases that are always wrong in this project's texts, each with what to write instead. @module */

/** A phrase and its replacement. */
export interface Phrase {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** Phrases that no text, comment or string may contain. */
export const PHRASES: readonly Phrase[] = [
  { pattern: /\bgoes on\b/gi, instead: "continues, resumes" },
  { pattern: /\basked for\b/gi, instead: "requested, required" },
  { pattern: /\bheld against\b/gi, instead: "compared with; baseline, reference model" },
  { pattern: /\b(?:is|are|was|were) told\b/gi, instead: "cached, stored, skipped; receives" },
  { pattern: /\bstep in hand\b/gi, instead: "current step" },
  { pattern: /\bcannot be told from\b/gi, instead: "no significant difference" },
  { pattern: /\bpruned at birth\b/gi, instead: "not stored, recomputed on demand" },
  { pattern: /\bheld[- ]back\b/gi, instead: "held-out" },
  { pattern: /\bforesee(?:s|n|ing)?\b/gi, instead: "predict, estimate" },
  { pattern: /\bon every seed\b/gi, instead: "on N of N seeds" },
  { pattern: /\bkeeps? (?:answers|responses|texts?) fluent\b/gi, instead: "base NLL, greedy and sampled" },
  { pattern: /\bdestroys? the (?:model|policy)\b/gi, instead: "the score by which it falls" },
  {
    pattern: /\b(?:is|are|was|were) as good(?: as)?\b/gi,
    instead: "no difference found (± …)",
  },
  { pattern: /\bwithin (?:the )?noise\b/gi, instead: "no difference found (± …)" },
  { pattern: /\bearn(?:s|ed)?\b/gi, instead: "reward" },
  { pattern: /\bpays\b/gi, instead: "gives the reward" },
  { pattern: /\b(?:is|are|was|were|be|been|being) paid\b/gi, instead: "reward is given" },
];

/** Uses that are right nevertheless, as `file: phrase`, each with a reason. At most 20 lines. */
export const ALLOWED_PHRASES: Readonly<Record<string, string>> = {};

/** Returns the wrong phrases of `text` as `phrase (write "instead")`. Line breaks in prose and comments do not hide one. */
export function wrongPhrases(text: string): string[] {
  const flowing = text.replaceAll(/["'`] \+\s+["'`]/g, "").replaceAll(
    /\s*\n\s*(?:\*|\/\/+|#+|>|\|)?\s*/g,
    " ",
  );
  return PHRASES.flatMap(({ pattern, instead }) =>
    [...flowing.matchAll(pattern)].map(([found]) => `${found.toLowerCase()} (write "${instead}")`)
  );
}

/** GPQA: tasks gpqa_main_zeroshot and gpqa_main_cot_zeroshot of the harness, version 2.2. @module */
import { PythonRandom } from "../python/random.ts";
import { strip } from "../python/text.ts";
import { filteredScorer } from "./filtered_scorer.ts";
import type { BenchmarkDocument, BenchmarkTask } from "./task.ts";

const LETTERS = ["(A)", "(B)", "(C)", "(D)"];

/**
 * Returns rows with shuffled choices. The harness shuffles with Python's global generator, which its command line seeds with 0;
 * this is the order of a fresh cache of its package `datasets`.
 */
function documents(rows: readonly BenchmarkDocument[]): BenchmarkDocument[] {
  const random = new PythonRandom(0);
  return rows.map((row) => {
    const correct = preprocess(row["Correct Answer"]);
    const wrong = [1, 2, 3].map((i) => preprocess(row[`Incorrect Answer ${i}`]));
    const choices = random.shuffled([...wrong, correct]);
    const fields = Object.fromEntries(choices.map((choice, i) => [`choice${i + 1}`, choice]));
    return { ...row, ...fields, choices, answer: LETTERS[choices.indexOf(correct)]! };
  });
}

function preprocess(text: unknown): string {
  if (typeof text !== "string") return " ";
  return strip(text).replaceAll(" [title]", ". ").replaceAll("  ", " ");
}

const QUESTION =
  "What is the correct answer to this question:{{Question}}\nChoices:\n(A) {{choice1}}\n(B) {{choice2}}\n" +
  "(C) {{choice3}}\n(D) {{choice4}}\n";

const SHARED = {
  version: "2.2",
  origin: "lm-evaluation-harness 0.4.13",
  source: { dataset: "Idavidrein/gpqa", split: "train", configuration: "gpqa_main" },
  documents,
} as const;

/** Choices compared by log-likelihood. */
export const GPQA_MAIN_ZEROSHOT: BenchmarkTask = {
  ...SHARED,
  name: "gpqa_main_zeroshot",
  template: `${QUESTION}Answer:`,
  output: {
    kind: "multiple_choice",
    choices: () => LETTERS,
    gold: (doc) => LETTERS.indexOf(String(doc.answer)),
  },
};

/** Responses that think step by step. */
export const GPQA_MAIN_COT_ZEROSHOT: BenchmarkTask = {
  ...SHARED,
  name: "gpqa_main_cot_zeroshot",
  template: `${QUESTION}Let's think step by step: `,
  output: {
    kind: "generate",
    stops: ["</s>"],
    maxNewTokens: 256,
    score: filteredScorer({
      filters: [
        { name: "strict-match", pattern: /(?<=The answer is )([^\n]*)(?=[^\n])/gu, take: "first" },
        { name: "flexible-extract", pattern: /(\([A-Z]\))/gu, take: "last", readsChoices: true },
      ],
      target: "{{answer}}",
      options: { ignoreCase: true, ignorePunctuation: true },
    }),
  },
};

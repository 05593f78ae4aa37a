/**
 * A benchmark task as data: where its documents come from, their prompt, few-shot examples, stop strings, and how a response is
 * scored. Fields are named as in lm-evaluation-harness where it has them.
 * @module
 */

/** A document of a benchmark: a row of its data, with the fields that its templates and its scorer read. */
export type BenchmarkDocument = Readonly<Record<string, unknown>>;

/** The outcome of one document; metrics are numbers in [0, 1], or lists of them where a document has several parts. */
export interface Outcome {
  /** by the harness's name, `METRIC,FILTER` */
  readonly metrics: Readonly<Record<string, number | readonly number[]>>;
  /** by filter: what it extracted from the response */
  readonly extracted?: Readonly<Record<string, string>>;
}

/** Where rows come from. */
export interface TaskSource {
  /** file of fixtures/benchmarks without `.gz`; undefined: the user gives the data */
  readonly file?: string;
  /** name on the Hugging Face hub, for messages */
  readonly dataset: string;
  /** part of the names of a data set's files that belong to this task, e.g. `test` */
  readonly split: string;
  /** part of their names that chooses a configuration, e.g. `gpqa_main` */
  readonly configuration?: string;
}

/** How few-shot examples are chosen. */
export interface FewShot {
  readonly count: number;
  /** `random`: drawn by Python's random.sample, document by document, with seed 1234; `first`: the first ones */
  readonly sampler: "random" | "first";
  readonly source: TaskSource;
  /** examples must have the document's value of this field */
  readonly group?: string;
  /** template of an example's text; default: the task's */
  readonly target: string;
}

/** A task whose responses are generated until a stop string. */
export interface Generation {
  readonly kind: "generate";
  /** the response ends before the first of them */
  readonly stops: readonly string[];
  readonly maxNewTokens: number;
  readonly score: (doc: BenchmarkDocument, response: string) => Outcome | Promise<Outcome>;
}

/** A task whose choices are compared by their log-likelihoods. */
export interface MultipleChoice {
  readonly kind: "multiple_choice";
  readonly choices: (doc: BenchmarkDocument) => readonly string[];
  /** position of the correct choice */
  readonly gold: (doc: BenchmarkDocument) => number;
}

/** A task. */
export interface BenchmarkTask {
  readonly name: string;
  readonly version: string;
  /** whose prompts and filters these are */
  readonly origin: string;
  readonly source: TaskSource;
  /** template of the prompt: text with `{{field}}` */
  readonly template: string;
  /** template of a text before all examples; in a chat, the system message */
  readonly description?: string;
  readonly fewShot?: FewShot;
  /** returns documents from rows; default: the rows */
  readonly documents?: (rows: readonly BenchmarkDocument[]) => readonly BenchmarkDocument[];
  /** field by whose values results are also reported */
  readonly groupBy?: string;
  readonly output: Generation | MultipleChoice;
}

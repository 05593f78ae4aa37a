/** The progress of a stage's trainings: trials of the learning rate and the training itself count as one amount of tokens. @module */
import type { StageProgress } from "@/lib/data/contracts/stage.ts";

/** One update of the current training. */
interface ReportedUpdate {
  readonly step: number;
  readonly total: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** tokens of the current training so far, in this process */
  readonly tokens: number;
}

/** Reports updates with the tokens and the speed of all trainings. */
export class TrainingProgress {
  readonly #startedAt = performance.now();
  /** tokens of finished trainings */
  #before = 0;
  #current = 0;

  constructor(readonly progress: (report: StageProgress) => void) {}

  /** Reports an update. */
  update({ step, total, metrics, tokens: current }: ReportedUpdate): void {
    this.#current = current;
    const tokens = this.#before + current;
    const tokens_per_second = tokens * 1000 / (performance.now() - this.#startedAt);
    this.progress({ step, total, fields: { ...metrics, tokens, tokens_per_second } });
  }

  /** Ends a training: the next one counts its tokens from 0. */
  next(): void {
    this.#before += this.#current;
    this.#current = 0;
  }
}

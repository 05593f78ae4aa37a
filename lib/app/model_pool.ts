/**
 * The loaded models of a server: a model is loaded when a request names it, and the least recently used ones without requests
 * leave when the next needs their memory. Requests are counted, so that a queue has an end.
 * @module
 */
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import type { EngineProcess } from "./engine_process.ts";
import type { ServedModel } from "./served_models.ts";

/** A loaded model; `EngineProcess` is one. */
export type LoadedEngine = Pick<EngineProcess, "complete" | "close" | "ended">;

/** Settings of the pool. */
export interface PoolOptions {
  readonly memoryBytes: number;
  /** most sequences of one model, running and waiting */
  readonly sequences: number;
  /** loads a model */
  readonly load: (model: ServedModel) => Promise<LoadedEngine>;
}

/** Too many sequences wait for the model. */
export class QueueFullError extends TryAgainError {
  override name = "QueueFullError";
}

interface Entry {
  readonly model: ServedModel;
  engine: LoadedEngine | undefined;
  /** requests in progress, those that wait for their turn included */
  requests: number;
  /** requests that use the engine: it must stay */
  users: number;
  /** their sequences, those of requests that wait for memory included */
  sequences: number;
  usedAt: number;
}

/** Models by name, of which some are loaded. */
export class ModelPool {
  readonly #entries: ReadonlyMap<string, Entry>;
  /** ends when the request before has its model: requests get models in their order */
  #turn: Promise<void> = Promise.resolve();
  #clock = 0;
  #wake: () => void = () => {};

  constructor(models: readonly ServedModel[], readonly options: PoolOptions) {
    this.#entries = new Map(models.map((model) => {
      return [model.name, { model, engine: undefined, requests: 0, users: 0, sequences: 0, usedAt: 0 }];
    }));
  }

  /** The models, in the order of the command line. */
  get models(): readonly ServedModel[] {
    return Array.from(this.#entries.values(), ({ model }) => model);
  }

  /** Names of the loaded models. */
  get loaded(): readonly string[] {
    return Array.from(this.#entries.values()).filter(({ engine }) => engine).map(({ model }) => model.name);
  }

  /** Number of requests that use a model or wait for one. */
  get active(): number {
    return Array.from(this.#entries.values()).reduce((sum, { requests }) => sum + requests, 0);
  }

  /**
   * Calls `work` with a loaded model, which stays loaded meanwhile.
   * @param sequences prompts times responses of the request
   * @throws {QueueFullError} if too many sequences are in progress
   */
  async use<T>(name: string, sequences: number, work: (engine: LoadedEngine) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(name)!, most = this.options.sequences;
    if (entry.sequences > 0 && entry.sequences + sequences > most) {
      throw new QueueFullError(
        `The queue of model "${name}" is full: ${entry.sequences} of ${most} sequences are in progress, ` +
          `got ${sequences} more`,
      );
    }
    entry.requests++;
    entry.sequences += sequences;
    try {
      const engine = await this.#take(entry);
      try {
        return await work(engine);
      } finally {
        entry.users--;
        this.#wake();
      }
    } finally {
      entry.requests--;
      entry.sequences -= sequences;
    }
  }

  /** Ends all models. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#entries.values(), ({ engine }) => engine?.close()));
  }

  /** Waits for the turn of this request, and returns the model of an entry, which counts as used. */
  async #take(entry: Entry): Promise<LoadedEngine> {
    const before = this.#turn, { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      const engine = await this.#ready(entry);
      entry.users++;
      return engine;
    } finally {
      resolve();
    }
  }

  /** Returns the model of an entry; loads it if there is none. One call at a time. */
  async #ready(entry: Entry): Promise<LoadedEngine> {
    entry.usedAt = ++this.#clock;
    if (entry.engine) return entry.engine;
    await this.#makeRoom(entry);
    const engine = await this.options.load(entry.model);
    entry.engine = engine;
    void engine.ended.then(() => {
      if (entry.engine === engine) entry.engine = undefined;
    });
    return engine;
  }

  /** Ends models that were not used for longest, and waits for those in use, until the model of `entry` fits. */
  async #makeRoom(entry: Entry): Promise<void> {
    while (true) {
      const others = Array.from(this.#entries.values()).filter(({ engine }) => engine);
      const used = others.reduce((sum, { model }) => sum + model.bytes, 0);
      if (used + entry.model.bytes <= this.options.memoryBytes) return;
      const idle = others.filter(({ users }) => users === 0);
      const [oldest] = idle.sort((a, b) => a.usedAt - b.usedAt);
      if (oldest) {
        const { engine } = oldest;
        await engine!.close();
        oldest.engine = undefined;
        continue;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

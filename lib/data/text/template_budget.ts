/**
 * The budget of a chat template. A template is a program of the model's author: without limits, nested loops never end and
 * doubled texts fill the memory, in a process that nothing interrupts meanwhile.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** Reports a template that takes too many steps or makes too long a text, whatever the messages are. Exit code 65. */
export class TemplateBudgetError extends DataError {
  override name = "TemplateBudgetError";
}

/** A value of the interpreter: a text, a number, a list, or a mapping. */
interface Value {
  readonly type: string;
  readonly value: unknown;
}

/** Steps of one rendering: evaluated nodes, items of loops and lists, and pieces of text. */
const MOST_STEPS = 1_000_000;
/** Characters of a text that count as one step. */
const PIECE = 64;
/** Characters of a text that a template makes, and how many more for each character of its input. */
const MOST_CHARACTERS = 2 ** 20, MORE_CHARACTERS = 8;
/** Characters between two items of a list. */
const SEPARATOR = 2;
/** Lists in lists, and mappings. */
const DEEPEST = 200;
/** Comparisons of characters in a search, in its worst case, that count as one step. */
const COMPARISONS = 2 ** 14;

/** Counts the steps of one rendering. */
export class TemplateBudget {
  #steps = 0;
  /** characters of values that cannot change; a namespace can */
  readonly #sizes = new WeakMap<Value, number>();
  readonly #longest: number;

  /** @param inputLength characters of the template, the messages and the other variables together */
  constructor(inputLength: number) {
    this.#longest = MOST_CHARACTERS + MORE_CHARACTERS * inputLength;
  }

  /** Counts `steps`. @throws {TemplateBudgetError} if they are too many */
  take(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MOST_STEPS) {
      throw new TemplateBudgetError(`must take at most ${MOST_STEPS} steps per conversation, got more`);
    }
  }

  /** Counts `value` by its characters and items, if it is new. @throws {TemplateBudgetError} if it is too long */
  takeNew(value: Value): void {
    if (!this.#sizes.has(value)) this.takeWhole(value);
  }

  /** Counts an operation that reads all of `value`, by its characters. */
  takeWhole(value: Value): void {
    this.take(this.#sizeOf(value) / PIECE);
  }

  /** Counts an operation that reads a text, or the items of a list but not what is in them. */
  takeOuter({ value }: Value): void {
    if (typeof value === "string") this.take(value.length / PIECE);
    else if (Array.isArray(value)) this.take(value.length / PIECE);
  }

  /** Counts a search for `part` in `whole`. */
  takeSearch(part: Value, whole: Value): void {
    if (typeof part.value !== "string" || typeof whole.value !== "string") return;
    this.take(part.value.length * whole.value.length / COMPARISONS);
  }

  /** Counts the iterations of a loop over `value`. */
  takeLoop({ value }: Value): void {
    this.take(Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0);
  }

  /** @throws {TemplateBudgetError} if a text of `length` characters is too long */
  checkLength(length: number): void {
    if (length <= this.#longest) return;
    throw new TemplateBudgetError(`must write at most ${this.#longest} characters, got more`);
  }

  /** Returns the number of characters of a value when it is written. */
  #sizeOf(value: Value, depth = 0): number {
    const { value: content, type } = value;
    if (typeof content !== "string" && (typeof content !== "object" || content === null)) return 0;
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    if (depth > DEEPEST) throw new TemplateBudgetError(`must nest lists at most ${DEEPEST} deep, got more`);
    let size = typeof content === "string" ? content.length : 0, isFixed = type !== "NamespaceValue";
    if (Array.isArray(content) || content instanceof Map) {
      for (const [key, item] of content.entries() as Iterable<[unknown, Value]>) {
        this.take(1);
        size += SEPARATOR + (typeof key === "string" ? key.length : 0) + this.#sizeOf(item, depth + 1);
        this.checkLength(size);
        if (typeof item.value === "object" && !this.#sizes.has(item)) isFixed = false;
      }
    }
    this.checkLength(size);
    if (isFixed) this.#sizes.set(value, size);
    return size;
  }
}

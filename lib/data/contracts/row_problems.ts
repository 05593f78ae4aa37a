/** Collects the problems of a file's rows, so that one error can list them. Rows count from 0. @module */
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** All problems in one text, and the place of the first. */
interface ProblemSummary {
  readonly message: string;
  readonly where: { readonly column: string; readonly row: number };
}

/** Checks of values, each of which adds a problem with column and row if it fails. */
export class RowProblems {
  /** the row that is being checked */
  row = 0;
  #first: ProblemSummary["where"] | undefined;
  readonly #problems: string[] = [];

  /** Adds a problem of `column` in the current row: what it must be, and what was found. */
  add(column: string, requirement: string, found: string): void {
    this.#first ??= { column, row: this.row };
    this.#problems.push(`column "${column}", row ${this.row} must ${requirement}, got ${found}`);
  }

  /** Requires that a list has `length` elements, as `of` has. */
  sameLength(column: string, list: ArrayLike<unknown>, of: string, length: number): void {
    if (list.length === length) return;
    this.add(column, `have as many elements as ${of} (${length})`, `${list.length}`);
  }

  /** Requires that a list is not empty. */
  notEmpty(column: string, list: ArrayLike<unknown>): void {
    if (list.length === 0) this.add(column, "have elements", "none");
  }

  /** Requires that token ids are not negative. */
  ids(column: string, ids: Int32Array): void {
    const bad = ids.findIndex((id) => id < 0);
    if (bad >= 0) this.add(column, "have ids of at least 0", `${ids[bad]} (element ${bad})`);
  }

  /** Requires that every number of a list is finite. */
  finiteList(column: string, values: Float32Array): void {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) this.add(column, "have finite numbers", `${values[bad]} (element ${bad})`);
  }

  /** Requires that a number is finite. */
  finite(column: string, value: number): void {
    if (!Number.isFinite(value)) this.add(column, "be finite", `${value}`);
  }

  /** Requires that a number is an integer of at least 0. */
  natural(column: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      this.add(column, "be an integer of at least 0", `${value}`);
    }
  }

  /** Requires that a text is one of `values`. */
  oneOf(column: string, value: string, values: readonly string[]): void {
    if (!values.includes(value)) this.add(column, `be one of ${values.join(", ")}`, JSON.stringify(value));
  }

  /** Requires that a text is a JSON object. */
  jsonObject(column: string, value: string): void {
    if (jsonObjectIn(value) === undefined) this.add(column, "be a JSON object", JSON.stringify(value));
  }

  /** Returns all problems in one text and the place of the first; undefined without any. */
  summary(): ProblemSummary | undefined {
    return this.#first && { message: listed(this.#problems), where: this.#first };
  }
}

/** Collects what is wrong with the rows of a file, so that one error can list it. Rows count from 0. @module */

/** Problems that a message spells out; the rest is counted. */
const SHOWN = 10;

/** What a list of problems amounts to. */
export interface ProblemSummary {
  readonly message: string;
  readonly where: { readonly column: string; readonly row: number };
}

/** Checks of values, each of which notes the column and the row that it fails for. */
export class RowProblems {
  /** the row that is being checked */
  row = 0;
  #count = 0;
  #first: ProblemSummary["where"] | undefined;
  readonly #shown: string[] = [];

  /** Notes that `column` of the current row is wrong: "it must …". */
  add(column: string, requirement: string, current: string): void {
    this.#count++;
    this.#first ??= { column, row: this.row };
    if (this.#shown.length < SHOWN) {
      this.#shown.push(`column "${column}", row ${this.row}, must ${requirement}: ${current}`);
    }
  }

  /** A list must have `length` elements, as `of` has. */
  sameLength(column: string, list: ArrayLike<unknown>, of: string, length: number): void {
    if (list.length !== length) {
      this.add(column, `have as many elements as ${of}`, `it has ${list.length} for ${length}`);
    }
  }

  /** A list must not be empty. */
  notEmpty(column: string, list: ArrayLike<unknown>): void {
    if (list.length === 0) this.add(column, "have elements", "it has none");
  }

  /** Token ids must not be negative. */
  ids(column: string, ids: Int32Array): void {
    const bad = ids.findIndex((id) => id < 0);
    if (bad >= 0) this.add(column, "hold ids from 0", `element ${bad} is ${ids[bad]}`);
  }

  /** Every number of a list must be finite. */
  finiteList(column: string, values: Float32Array): void {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) {
        return this.add(column, "hold finite numbers", `element ${i} is ${values[i]}`);
      }
    }
  }

  /** A number must be finite. */
  finite(column: string, value: number): void {
    if (!Number.isFinite(value)) this.add(column, "be finite", `it is ${value}`);
  }

  /** An integer must not be negative. */
  natural(column: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) this.add(column, "be an integer from 0", `it is ${value}`);
  }

  /** A text must be one of `values`. */
  oneOf(column: string, value: string, values: readonly string[]): void {
    if (!values.includes(value)) {
      this.add(column, `be one of ${values.join(", ")}`, `it is ${JSON.stringify(value)}`);
    }
  }

  /** A text must be a JSON object. */
  jsonObject(column: string, value: string): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch {
      parsed = undefined;
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      this.add(column, "hold a JSON object", `it is ${JSON.stringify(value)}`);
    }
  }

  /** All problems in one text and where the first is; undefined where there are none. */
  summary(): ProblemSummary | undefined {
    if (this.#first === undefined) return undefined;
    const rest = this.#count > SHOWN ? `; and ${this.#count - SHOWN} more` : "";
    return { message: this.#shown.join("; ") + rest, where: this.#first };
  }
}

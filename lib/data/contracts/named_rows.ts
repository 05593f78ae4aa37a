/**
 * Converts between rows and columns: the field `promptIds` of a row is the column `prompt_ids` of a file. In: a table's schema.
 * Out: the type of its rows, rows from columns, and columns from rows. Pure.
 * @module
 */
import type { Columns, ColumnValue, TableSchema } from "@/lib/data/arrow/column_schema.ts";

/** `prompt_ids` as `promptIds`. */
type Camel<Name extends string> = Name extends `${infer Head}_${infer Rest}`
  ? `${Head}${Capitalize<Camel<Rest>>}`
  : Name;

/** A row of a table. */
export type RowOf<S extends TableSchema> = {
  readonly [Name in keyof S & string as Camel<Name>]: ColumnValue<S[Name]>;
};

/** `S`, unless a field of `Row` has no column in it or among the optional columns `O`, and would not be written. */
export type SchemaOf<Row, S extends TableSchema, O extends TableSchema> =
  Exclude<keyof Row, keyof RowOf<S> | keyof RowOf<O>> extends never ? S : never;

/** Returns all rows of a table. */
export function rowsOf<S extends TableSchema>(schema: S, columns: Columns<S>, count: number): RowOf<S>[] {
  const fields = fieldsOf(schema);
  return Array.from(
    { length: count },
    (_, row) => Object.fromEntries(fields.map(([name, field]) => [field, columns[name]![row]])) as RowOf<S>,
  );
}

/** Returns all columns of rows. */
export function columnsOf<S extends TableSchema>(schema: S, rows: readonly RowOf<S>[]): Columns<S> {
  const valuesOf = (field: string) => rows.map((row) => (row as Readonly<Record<string, unknown>>)[field]);
  const columns: Readonly<Record<string, unknown>> = Object.fromEntries(
    fieldsOf(schema).map(([name, field]) => [name, valuesOf(field)]),
  );
  return columns as Columns<S>;
}

function fieldsOf(schema: TableSchema): (readonly [name: string, field: string])[] {
  return Object.keys(schema).map((name) => [name, camelCase(name)] as const);
}

/** Returns `promptIds` for `prompt_ids`. */
export function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Returns `prompt_ids` for `promptIds`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * The column types that files between stages use, as names, as TypeScript types, and as Arrow types.
 * @module
 */
import { type DataType, Field, Float32, Float64, Int32, Int64, List, Uint8, Utf8 } from "apache-arrow";

/** What a column holds. i64 stands for the integers that a JavaScript number holds exactly. */
export type ColumnType = "utf8" | "i32" | "i64" | "f64" | "list<i32>" | "list<f32>" | "list<u8>";

/** A column type, with `?` where a value may be null. */
export type ColumnSpec = ColumnType | `${ColumnType}?`;

/** Columns by name, in their order in the file. */
export type TableSchema = Readonly<Record<string, ColumnSpec>>;

interface ValueOfType {
  "utf8": string;
  "i32": number;
  "i64": number;
  "f64": number;
  "list<i32>": Int32Array;
  "list<f32>": Float32Array;
  "list<u8>": Uint8Array;
}

/** The TypeScript type of one value of a column. */
export type ColumnValue<Spec extends ColumnSpec> = Spec extends `${infer Type extends ColumnType}?`
  ? ValueOfType[Type] | null
  : Spec extends ColumnType ? ValueOfType[Spec]
  : never;

/** All columns of a table: arrays, or typed arrays of numbers, one element a row. */
export type Columns<Schema extends TableSchema> = {
  readonly [Name in keyof Schema]: ArrayLike<ColumnValue<Schema[Name]>>;
};

/** The type of `spec` without its `?`. */
export function typeOf(spec: ColumnSpec): ColumnType {
  return (spec.endsWith("?") ? spec.slice(0, -1) : spec) as ColumnType;
}

/** True where `spec` lets values be null. */
export function isNullable(spec: ColumnSpec): boolean {
  return spec.endsWith("?");
}

/** The Arrow type of a column type. Elements of lists are named `item` and are never null. */
export function arrowType(type: ColumnType): DataType {
  switch (type) {
    case "utf8":
      return new Utf8();
    case "i32":
      return new Int32();
    case "i64":
      return new Int64();
    case "f64":
      return new Float64();
    case "list<i32>":
      return new List(new Field("item", new Int32(), false));
    case "list<f32>":
      return new List(new Field("item", new Float32(), false));
    case "list<u8>":
      return new List(new Field("item", new Uint8(), false));
  }
}

/** The spelling of any Arrow type in this project's words, so that an expected and an actual type can be compared. */
export function showArrowType(type: DataType): string {
  const children = (type.children as Field[] | null) ?? [];
  if (type instanceof List) return `list<${showArrowType(children[0]!.type)}>`;
  const name = String(type).replace(/^Utf8$/, "utf8");
  return name.replace(/^Int(\d+)$/, "i$1").replace(/^Uint(\d+)$/, "u$1").replace(/^Float(\d+)$/, "f$1");
}

/** Column types of the files between stages: as names, as TypeScript types and as Arrow types. @module */
import { type DataType, Field, Float32, Float64, Int32, Int64, List, Uint8, Utf8 } from "apache-arrow";

/** Type of a column. i64 is limited to integers that a JavaScript number represents exactly. */
export type ColumnType = "utf8" | "i32" | "i64" | "f64" | "list<i32>" | "list<f32>" | "list<u8>";

/** A column type, followed by `?` if values may be null. */
export type ColumnSpec = ColumnType | `${ColumnType}?`;

/** Columns by name, in the order of the file. */
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

/** All columns of a table: arrays or typed arrays, one element per row. */
export type Columns<Schema extends TableSchema> = {
  readonly [Name in keyof Schema]: ArrayLike<ColumnValue<Schema[Name]>>;
};

/** Returns the type of `spec` without its `?`. */
export function typeOf(spec: ColumnSpec): ColumnType {
  return (spec.endsWith("?") ? spec.slice(0, -1) : spec) as ColumnType;
}

/** Returns whether `spec` allows nulls. */
export function isNullable(spec: ColumnSpec): boolean {
  return spec.endsWith("?");
}

/** Returns the Arrow type of a column type. Elements of lists are named `item` and are never null. */
export function arrowType(type: ColumnType): DataType {
  return ARROW_TYPES[type]();
}

const ARROW_TYPES: Readonly<Record<ColumnType, () => DataType>> = {
  "utf8": () => new Utf8(),
  "i32": () => new Int32(),
  "i64": () => new Int64(),
  "f64": () => new Float64(),
  "list<i32>": () => new List(new Field("item", new Int32(), false)),
  "list<f32>": () => new List(new Field("item", new Float32(), false)),
  "list<u8>": () => new List(new Field("item", new Uint8(), false)),
};

/** Returns the name of any Arrow type in the spelling of `ColumnType`, to compare an expected type with a found one. */
export function showArrowType(type: DataType): string {
  const children = (type.children as Field[] | null) ?? [];
  if (type instanceof List) return `list<${showArrowType(children[0]!.type)}>`;
  const name = String(type).replace(/^Utf8$/, "utf8");
  return name.replace(/^Int(\d+)$/, "i$1").replace(/^Uint(\d+)$/, "u$1").replace(/^Float(\d+)$/, "f$1");
}

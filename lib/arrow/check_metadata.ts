/**
 * Walks the flatbuffers of an Arrow IPC file before the library does. The library believes every length that it reads
 * there and allocates for it, so a damaged byte could cost gigabytes; here each length is held against the bytes that
 * are there. Slots are those of Apache Arrow's format/{File,Schema,Message}.fbs.
 * @module
 */

/** More fields than any table has, nested ones included; stops a schema that refers to itself many times over. */
const MAX_FIELDS = 10_000;

/** Bytes of the structs that vectors hold. */
const SIZES = { table: 4, block: 24, node: 16, buffer: 16, i64: 8 } as const;

/** Header types of a message. */
const SCHEMA = 1;
const DICTIONARY_BATCH = 2;
const RECORD_BATCH = 3;

/** The file while it is walked. Reading outside of it throws a RangeError. */
interface Walk {
  readonly view: DataView;
  /** bytes of the file */
  readonly size: number;
  fields: number;
}

/**
 * Checks footer, schema and the metadata of every batch.
 * @param footer position of the footer
 * @throws {RangeError} naming the length or position that does not fit
 */
export function checkMetadata(
  bytes: Uint8Array<ArrayBuffer>,
  footer: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const walk: Walk = { view, size: bytes.byteLength, fields: 0 };
  const root = follow(walk, footer);
  const schema = slot(walk, root, 1);
  if (schema === 0) throw misfit("footer", "have a schema", "it has none");
  checkSchema(walk, follow(walk, schema));
  vector(walk, root, 4, SIZES.table, "metadata");
  for (const index of [2, 3]) {
    for (const block of vector(walk, root, index, SIZES.block, "batches")) {
      checkMessage(walk, i64(walk, block));
    }
  }
}

/**
 * Checks a stream: a schema, then batches, up to its end mark or the end of the bytes.
 * @throws {RangeError} naming the length or position that does not fit
 */
export function checkStream(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const walk: Walk = { view, size: bytes.byteLength, fields: 0 };
  let position = 0;
  for (let count = 0; position < walk.size; count++) {
    const marked = view.getInt32(position, true) === -1;
    if (view.getInt32(position + (marked ? 4 : 0), true) === 0) return;
    position = checkMessage(walk, position, count === 0);
  }
}

function checkSchema(walk: Walk, schema: number): void {
  vector(walk, schema, 2, SIZES.table, "metadata");
  vector(walk, schema, 3, SIZES.i64, "features");
  for (const field of vector(walk, schema, 1, SIZES.table, "fields")) checkField(walk, follow(walk, field));
}

function checkField(walk: Walk, field: number): void {
  if (++walk.fields > MAX_FIELDS) throw misfit("schema", `have at most ${MAX_FIELDS} fields`, "it has more");
  vector(walk, field, 6, SIZES.table, "metadata");
  for (const child of vector(walk, field, 5, SIZES.table, "children")) checkField(walk, follow(walk, child));
}

/**
 * A message at `position`: its length, perhaps after the marker -1, then a flatbuffer, then its body.
 * @param isSchema whether it must be a schema; a batch else
 * @returns where the next message begins
 */
function checkMessage(walk: Walk, position: number, isSchema = false): number {
  const marked = walk.view.getInt32(position, true) === -1;
  const begin = position + (marked ? 8 : 4);
  const length = walk.view.getInt32(begin - 4, true);
  if (length <= 0 || length > walk.size - begin) {
    throw misfit("message", "lie within the file", `it claims ${length} bytes`);
  }
  const message = follow(walk, begin);
  const bodyLength = slot(walk, message, 3);
  const body = bodyLength === 0 ? 0 : i64(walk, bodyLength);
  if (body < 0 || body > walk.size - begin - length) {
    throw misfit("message", "have its body within the file", `it claims ${body} bytes`);
  }
  const type = slot(walk, message, 1);
  const header = slot(walk, message, 2);
  if (type === 0 || header === 0) throw misfit("message", "have a header", "it has none");
  const kind = walk.view.getUint8(type);
  const next = begin + length + body;
  if (isSchema) {
    if (kind !== SCHEMA) throw misfit("first message", "be a schema", `it is of type ${kind}`);
    checkSchema(walk, follow(walk, header));
    return next;
  }
  if (kind === RECORD_BATCH) {
    checkBatch(walk, follow(walk, header), body);
    return next;
  }
  const data = kind === DICTIONARY_BATCH ? slot(walk, follow(walk, header), 1) : 0;
  if (data === 0) throw misfit("message", "be a batch", `it is of type ${kind}`);
  checkBatch(walk, follow(walk, data), body);
  return next;
}

function checkBatch(walk: Walk, batch: number, body: number): void {
  const rows = slot(walk, batch, 0);
  // The smallest value takes a bit, so no batch has more of them than the file has bits.
  const lengths = rows === 0 ? [] : [rows];
  for (const node of vector(walk, batch, 1, SIZES.node, "nodes")) lengths.push(node, node + 8);
  for (const at of lengths) {
    const length = i64(walk, at);
    if (length < 0 || length > 8 * walk.size) {
      throw misfit("batch", "fit into the file", `it claims ${length} values`);
    }
  }
  for (const buffer of vector(walk, batch, 2, SIZES.buffer, "buffers")) {
    const [offset, length] = [i64(walk, buffer), i64(walk, buffer + 8)];
    if (offset < 0 || length < 0 || offset + length > body) {
      throw misfit(
        "buffer",
        `lie within the ${body} bytes of its batch`,
        `it claims ${length} from ${offset}`,
      );
    }
  }
  vector(walk, batch, 4, SIZES.i64, "counts");
}

/** Where the reference at `position` leads. */
function follow({ view }: Walk, position: number): number {
  return position + view.getUint32(position, true);
}

/** Position of a table's field, or 0 where the table leaves it out. */
function slot({ view }: Walk, table: number, index: number): number {
  const layout = table - view.getInt32(table, true);
  if (4 + 2 * index >= view.getUint16(layout, true)) return 0;
  const offset = view.getUint16(layout + 4 + 2 * index, true);
  return offset === 0 ? 0 : table + offset;
}

/** Positions of a vector's elements, once they are known to lie within the file. */
function vector(walk: Walk, table: number, index: number, elementBytes: number, name: string): number[] {
  const field = slot(walk, table, index);
  if (field === 0) return [];
  const begin = follow(walk, field);
  const length = walk.view.getUint32(begin, true);
  if (length * elementBytes > walk.size - begin - 4) {
    throw misfit(name, "lie within the file", `there are ${length}`);
  }
  return Array.from({ length }, (_, i) => begin + 4 + i * elementBytes);
}

function i64({ view }: Walk, position: number): number {
  return Number(view.getBigInt64(position, true));
}

function misfit(what: string, requirement: string, current: string): RangeError {
  return new RangeError(`Cannot read its ${what} as it must ${requirement}: ${current}`);
}

/**
 * Checks the flatbuffers of an Arrow IPC file before the library reads them. The library allocates memory for every length
 * that it finds there, so a damaged byte could cost gigabytes; here each length is compared with the size of the file. Slot
 * numbers are those of Apache Arrow's format/{File,Schema,Message}.fbs.
 * @module
 */

/** Limit of the fields of a table, nested ones included; stops a schema that refers to itself. */
const MAX_FIELDS = 10_000;

/** Bytes of the structs in vectors. */
const SIZES = { table: 4, block: 24, node: 16, buffer: 16, i64: 8 } as const;

/** Header types of a message. */
const SCHEMA = 1;
const DICTIONARY_BATCH = 2;
const RECORD_BATCH = 3;

/** The file that is being checked. Reading outside it throws a RangeError. */
interface Walk {
  readonly view: DataView;
  /** bytes of the file */
  readonly size: number;
  fields: number;
}

/**
 * Checks footer, schema and the metadata of every batch.
 * @param footer position of the footer
 * @throws {RangeError} naming the bad length or position
 */
export function checkMetadata(bytes: Uint8Array<ArrayBuffer>, footer: number): void {
  const walk = walkOf(bytes);
  const root = follow(walk, footer);
  const schema = slot(walk, root, 1);
  if (schema === 0) throw new RangeError("missing schema in the footer");
  checkSchema(walk, follow(walk, schema));
  vector(walk, root, 4, SIZES.table, "metadata");
  for (const [index, kind] of [[2, DICTIONARY_BATCH], [3, RECORD_BATCH]] as const) {
    for (const block of vector(walk, root, index, SIZES.block, "batches")) {
      checkMessage(walk, i64(walk, block), kind);
    }
  }
}

/**
 * Checks a stream: a schema, then batches, up to an end mark or the end of the bytes.
 * @throws {RangeError} naming the bad length or position
 */
export function checkStream(bytes: Uint8Array<ArrayBuffer>): void {
  const walk = walkOf(bytes);
  let position = 0;
  for (let count = 0; position < walk.size; count++) {
    if (walk.view.getInt32(position + (isMarked(walk, position) ? 4 : 0), true) === 0) return;
    position = checkMessage(walk, position, count === 0 ? SCHEMA : undefined);
  }
}

function walkOf(bytes: Uint8Array<ArrayBuffer>): Walk {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { view, size: bytes.byteLength, fields: 0 };
}

function checkSchema(walk: Walk, schema: number): void {
  vector(walk, schema, 2, SIZES.table, "metadata");
  vector(walk, schema, 3, SIZES.i64, "features");
  for (const field of vector(walk, schema, 1, SIZES.table, "fields")) checkField(walk, follow(walk, field));
}

function checkField(walk: Walk, field: number): void {
  if (++walk.fields > MAX_FIELDS) {
    throw new RangeError(`the schema must have at most ${MAX_FIELDS} fields, got more`);
  }
  vector(walk, field, 6, SIZES.table, "metadata");
  for (const child of vector(walk, field, 5, SIZES.table, "children")) checkField(walk, follow(walk, child));
}

/** Returns whether the length of the message at `position` follows the marker -1. */
function isMarked({ view }: Walk, position: number): boolean {
  return view.getInt32(position, true) === -1;
}

/**
 * Checks the message at `position`: its length (perhaps after a marker), then a flatbuffer, then its body.
 * @param required kind that the message must have; default: a batch with rows or a dictionary. The library reads a batch
 * of another kind in a footer again and again
 * @returns the position of the next message
 */
function checkMessage(walk: Walk, position: number, required?: number): number {
  const begin = position + (isMarked(walk, position) ? 8 : 4);
  const length = walk.view.getInt32(begin - 4, true);
  if (length <= 0 || length > walk.size - begin) {
    throw new RangeError(`a message must be within the file, got a length of ${length} bytes`);
  }
  const message = follow(walk, begin);
  const bodyLength = slot(walk, message, 3);
  const body = bodyLength === 0 ? 0 : i64(walk, bodyLength);
  if (body < 0 || body > walk.size - begin - length) {
    throw new RangeError(`a message body must be within the file, got a length of ${body} bytes`);
  }
  const type = slot(walk, message, 1);
  const header = slot(walk, message, 2);
  if (type === 0 || header === 0) throw new RangeError("missing header of a message");
  const kind = walk.view.getUint8(type);
  const next = begin + length + body;
  if (required !== undefined && required !== SCHEMA && kind !== required) {
    throw new RangeError(`a message of the footer must have type ${required}, got type ${kind}`);
  }
  if (required === SCHEMA) {
    if (kind !== SCHEMA) throw new RangeError(`the first message must be a schema, got type ${kind}`);
    checkSchema(walk, follow(walk, header));
    return next;
  }
  if (kind === RECORD_BATCH) {
    checkBatch(walk, follow(walk, header), body);
    return next;
  }
  const data = kind === DICTIONARY_BATCH ? slot(walk, follow(walk, header), 1) : 0;
  if (data === 0) throw new RangeError(`a message must be a batch, got type ${kind}`);
  checkBatch(walk, follow(walk, data), body);
  return next;
}

function checkBatch(walk: Walk, batch: number, body: number): void {
  const rows = slot(walk, batch, 0);
  // The smallest value is one bit, so a batch cannot have more values than the file has bits.
  const lengths = rows === 0 ? [] : [rows];
  for (const node of vector(walk, batch, 1, SIZES.node, "nodes")) lengths.push(node, node + 8);
  for (const at of lengths) {
    const length = i64(walk, at);
    if (length < 0 || length > 8 * walk.size) {
      throw new RangeError(`a batch must fit into the file, got ${length} values`);
    }
  }
  for (const buffer of vector(walk, batch, 2, SIZES.buffer, "buffers")) {
    const [offset, length] = [i64(walk, buffer), i64(walk, buffer + 8)];
    if (offset < 0 || length < 0 || offset + length > body) {
      throw new RangeError(
        `a buffer must be within the ${body} bytes of its batch, got ${length} from ${offset}`,
      );
    }
  }
  vector(walk, batch, 4, SIZES.i64, "counts");
}

/** Returns the position that the reference at `position` points to. */
function follow({ view }: Walk, position: number): number {
  return position + view.getUint32(position, true);
}

/** Returns the position of a table's field, or 0 if the table omits it. */
function slot({ view }: Walk, table: number, index: number): number {
  const layout = table - view.getInt32(table, true);
  if (4 + 2 * index >= view.getUint16(layout, true)) return 0;
  const offset = view.getUint16(layout + 4 + 2 * index, true);
  return offset === 0 ? 0 : table + offset;
}

/** Returns the positions of a vector's elements, after checking that they are within the file. */
function vector(walk: Walk, table: number, index: number, elementBytes: number, name: string): number[] {
  const field = slot(walk, table, index);
  if (field === 0) return [];
  const begin = follow(walk, field);
  const length = walk.view.getUint32(begin, true);
  if (length * elementBytes > walk.size - begin - 4) {
    throw new RangeError(`${name} must be within the file, got ${length} elements`);
  }
  return Array.from({ length }, (_, i) => begin + 4 + i * elementBytes);
}

function i64({ view }: Walk, position: number): number {
  return Number(view.getBigInt64(position, true));
}

/**
 * JSON with one spelling per value: keys sorted by UTF-16 code unit, no spaces, numbers as ECMAScript prints them
 * (RFC 8785). Equal values give equal text and therefore equal digests.
 * @module
 */

/**
 * Returns the canonical text of a plain value. A property that is undefined counts as absent.
 * @throws {TypeError} for what JSON cannot express: undefined, NaN, infinities, bigints, functions, class instances
 */
export function canonicalJson(value: unknown): string {
  return write(value, "");
}

function write(value: unknown, path: string): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw notJson(path, String(value));
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item, i) => write(item, `${path}/${i}`)).join(",")}]`;
  if (typeof value !== "object") throw notJson(path, typeof value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw notJson(path, value.constructor.name);
  const properties = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, item]) => `${JSON.stringify(key)}:${write(item, `${path}/${key}`)}`);
  return `{${properties.join(",")}}`;
}

function notJson(path: string, found: string): TypeError {
  return new TypeError(`${path === "" ? "The value" : path} must be representable in JSON, got ${found}`);
}

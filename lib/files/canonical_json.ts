/**
 * JSON with one spelling per value: keys sorted by UTF-16 code unit, no spaces, numbers as ECMAScript prints them
 * (RFC 8785). Equal values give equal text, and so equal digests.
 * @module
 */

/**
 * The canonical text of a plain value. A property that is undefined counts as absent.
 * @throws {TypeError} for what JSON cannot say: undefined, NaN, infinities, bigints, functions, class instances
 */
export function canonicalJson(value: unknown): string {
  return write(value, "");
}

function write(value: unknown, path: string): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw refuse(path, String(value));
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item, i) => write(item, `${path}/${i}`)).join(",")}]`;
  if (typeof value !== "object") throw refuse(path, typeof value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refuse(path, value.constructor.name);
  const properties = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, item]) => `${JSON.stringify(key)}:${write(item, `${path}/${key}`)}`);
  return `{${properties.join(",")}}`;
}

function refuse(path: string, what: string): TypeError {
  return new TypeError(
    `Cannot write ${path === "" ? "a value" : path} as JSON must be able to say it: it is ${what}`,
  );
}

/**
 * Standard JSON in which an object must not repeat a key. `JSON.parse` keeps the last value of a repeated key without a
 * warning.
 * @module
 */

/**
 * Parses a JSON text.
 * @throws {SyntaxError} if the text is not JSON or an object repeats a key
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const key = duplicateKey(text);
  if (key !== undefined) throw new SyntaxError(`Duplicate key ${JSON.stringify(key)} in an object`);
  return value;
}

/** Returns whether `value` is a JSON object: not null, an array or a scalar. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the kind of a JSON value for messages: "null", "an array", "an object" or, for example, "a number". */
export function jsonKind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Parses a JSON object; returns undefined if the text is not JSON, repeats a key, or is not an object. */
export function jsonObjectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseStrictJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns the first key that an object of a valid JSON text repeats. Makes one pass over the structural characters without
 * recursion, so that deep nesting needs no stack.
 */
function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each open object, undefined for an array
  let atKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: { // "
        const end = endOfString(text, i);
        const keys = atKey ? open.at(-1) : undefined;
        if (keys !== undefined) {
          const raw = text.slice(i, end + 1);
          const key = raw.includes("\\") ? JSON.parse(raw) as string : raw.slice(1, -1);
          if (keys.has(key)) return key;
          keys.add(key);
          atKey = false;
        }
        i = end;
        break;
      }
      case 0x7b: // {
        open.push(new Set());
        atKey = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        atKey = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        atKey = false;
        break;
      case 0x2c: // ,
        atKey = open.at(-1) !== undefined;
        break;
    }
  }
  return undefined;
}

/** Returns the index of the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

/** Returns whether the quote at `at` is escaped: an odd number of backslashes precedes it. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === 0x5c) first--;
  return (at - first) % 2 === 1;
}

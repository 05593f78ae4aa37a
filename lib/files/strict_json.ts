/**
 * JSON as the standard has it, with one thing more: an object may not hold the same key twice. `JSON.parse` keeps the
 * last of them silently, so that a file would mean something else than it shows.
 * @module
 */

/**
 * The value of a JSON text.
 * @throws {SyntaxError} if the text is not JSON or an object of it holds a key twice
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const key = duplicateKey(text);
  if (key !== undefined) {
    throw new SyntaxError(
      `Cannot read JSON as a key must occur once in its object: ${JSON.stringify(key)} occurs twice`,
    );
  }
  return value;
}

/** True for a JSON object: neither null, nor an array, nor a plain value. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object that a JSON text is; undefined where it is not JSON, holds a key twice, or is no object. */
export function jsonObjectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseStrictJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The first key that an object of a valid JSON text holds twice. One pass over the structural characters without
 * recursion, so that deep nesting costs no stack.
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

/** Index of the quote that closes the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

/** A quote is escaped where an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === 0x5c) first--;
  return (at - first) % 2 === 1;
}

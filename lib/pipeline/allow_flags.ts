/**
 * Deno's permission flags for many values. Linux takes at most 128 KiB in one argument, and the files that a pattern matches
 * may have more: one flag becomes several.
 * @module
 */

/** Characters of an argument; a path may have four bytes for each. */
const MOST_CHARACTERS = 30_000;

/** `--allow-<name>=a,b,…`, as often as needed. Values must have no comma. */
export function allowFlags(name: string, values: readonly string[]): string[] {
  const flags: string[] = [];
  let last = MOST_CHARACTERS;
  for (const value of values) {
    if (last + value.length < MOST_CHARACTERS) flags.push(`${flags.pop()},${value}`);
    else {
      flags.push(`--allow-${name}=${value}`);
      last = 0;
    }
    last += value.length + 1;
  }
  return flags;
}

/**
 * Deno's permission flags for many values. Linux accepts at most 128 KiB in one argument, which the names of the files of a
 * pattern may exceed: one flag becomes several.
 * @module
 */

/** Characters of an argument; each may have four bytes. */
const MOST_CHARACTERS = 30_000;

/** Returns `--allow-<name>=a,b,…`, as often as necessary. Values must not have a comma. */
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

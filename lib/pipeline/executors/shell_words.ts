/** Words for a POSIX shell. @module */

/** Returns `words` as one command line, each word quoted. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}

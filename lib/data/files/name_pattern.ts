/**
 * Patterns for one name: `*`, `?`, `[a-z]`, `[!a-z]`, `\`. They become regular expressions whose time grows with the product
 * of both lengths at most, since patterns may come from other people. Not npm `picomatch`: a pattern of many stars does not
 * finish, and `?` and `[…]` do not match characters beyond 16 bits.
 * @module
 */

/** The parts of a pattern: an escaped character, a class of characters, stars, or any other character. */
const PARTS =
  /\\(?<escaped>[^])|\[(?:(?<not>[!^])|(?![!^]))(?<members>(?:\\[^]|[^\\])(?:\\[^]|[^\\\]])*)\]|(?<stars>\*+)|[^]/gsu;

/** Returns the regular expression of a pattern. An unclosed bracket stands for itself. */
export function namePattern(pattern: string): RegExp {
  const pieces = [pattern.startsWith(".") ? "" : "(?!\\.)"]; // a leading dot must be written out
  for (const { 0: part, groups } of pattern.matchAll(PARTS)) {
    if (groups!.stars) pieces.push("");
    else pieces[pieces.length - 1] += sourceOf(part, groups!);
  }
  const last = pieces.pop()!;
  if (pieces.length === 0) return new RegExp(`^${last}$`, "su");
  // Only the last star needs to be tried again: a star before it takes the shortest text that fits, for good.
  const [first, ...middle] = pieces;
  const atomic = middle.map((piece, k) => `(?=(?<star${k}>.*?${piece}))\\k<star${k}>`);
  return new RegExp(`^${first}${atomic.join("")}.*${last}$`, "su");
}

function sourceOf(part: string, { escaped, not, members }: Readonly<Record<string, string>>): string {
  if (members !== undefined) return `[${not ? "^" : ""}${classMembers(members)}]`;
  return part === "?" ? "." : RegExp.escape(escaped ?? part);
}

/** Returns the members of a class in the spelling of regular expressions; a hyphen between two makes a range. */
function classMembers(members: string): string {
  return [...members.matchAll(/(\\[^]|[^\\])-(\\[^]|[^\\])|\\[^]|[^\\]/gsu)].map(([member, from, to]) => {
    if (from === undefined || to === undefined) return RegExp.escape(literal(member));
    const [first, last] = [literal(from), literal(to)];
    // A range that goes down has no members.
    return first.codePointAt(0)! > last.codePointAt(0)!
      ? ""
      : `${RegExp.escape(first)}-${RegExp.escape(last)}`;
  }).join("");
}

/** Returns a member without its backslash. */
function literal(member: string): string {
  return [...member].at(-1)!;
}

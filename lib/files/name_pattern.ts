/**
 * Patterns for one name: `*`, `?`, `[a-z]`, `[!a-z]`, `\`. The time of a comparison grows with the product of both lengths
 * at most, whoever wrote the pattern. In: a pattern and a name. Out: whether they match.
 * @module
 */

/** One character of a name, or any number of them. */
type Part = "star" | ((character: string) => boolean);

/** A pattern, taken apart. */
export interface NamePattern {
  readonly parts: readonly Part[];
  /** whether it names the dot that hidden names begin with */
  readonly beginsWithDot: boolean;
}

/** Takes a pattern apart. A bracket that is not closed stands for itself. */
export function compileName(pattern: string): NamePattern {
  const characters = [...pattern];
  const parts: Part[] = [];
  const literal = (wanted: string | undefined): void => {
    parts.push((character) => character === wanted);
  };
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    const close = character === "[" ? endOfClass(characters, i) : -1;
    if (character === "*") parts.push("star");
    else if (character === "?") parts.push(() => true);
    else if (close >= 0) {
      parts.push(classOf(characters.slice(i + 1, close)));
      i = close;
    } else if (character === "\\" && i + 1 < characters.length) literal(characters[++i]);
    else literal(character);
  }
  return { parts, beginsWithDot: pattern.startsWith(".") };
}

/** Whether `pattern` matches all of `name`. */
export function isMatch({ parts, beginsWithDot }: NamePattern, name: string): boolean {
  if (name.startsWith(".") && !beginsWithDot) return false;
  const characters = [...name];
  let part = 0, at = 0;
  // Where to go on when what follows a star does not fit: the star takes one character more. Only the last star counts.
  let star = -1, from = 0;
  while (at < characters.length) {
    const current = parts[part];
    if (current === "star") [star, from, part] = [part, at, part + 1];
    else if (current?.(characters[at]!)) [part, at] = [part + 1, at + 1];
    else if (star >= 0) [part, at] = [star + 1, ++from];
    else return false;
  }
  return parts.slice(part).every((rest) => rest === "star");
}

/** Index of the `]` that closes the class at `start`; the first character of a class may be `]` itself. */
function endOfClass(characters: readonly string[], start: number): number {
  const first = /[!^]/.test(characters[start + 1] ?? "") ? start + 2 : start + 1;
  for (let i = first; i < characters.length; i++) {
    if (characters[i] === "\\") i++;
    else if (characters[i] === "]" && i > first) return i;
  }
  return -1;
}

/** The test of the characters between brackets. */
function classOf(written: readonly string[]): (character: string) => boolean {
  const isNegated = written[0] === "!" || written[0] === "^";
  const ranges: (readonly [from: string, to: string])[] = [];
  for (let i = isNegated ? 1 : 0; i < written.length; i++) {
    const from = written[i] === "\\" ? written[++i]! : written[i]!;
    const isRange = written[i + 1] === "-" && i + 2 < written.length;
    if (isRange) i += 2;
    const to = !isRange ? from : written[i] === "\\" ? written[++i]! : written[i]!;
    ranges.push([from, to]);
  }
  const point = (text: string): number => text.codePointAt(0) ?? 0;
  return (character) =>
    isNegated !==
      ranges.some(([from, to]) => point(from) <= point(character) && point(character) <= point(to));
}

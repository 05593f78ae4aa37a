/**
 * Patterns of users, which run in linear time: regular expressions in JavaScript's syntax with the flag u, on RE2. A
 * backtracking engine can take longer than the age of the universe for `(a+)+$`, and nothing could stop it.
 * @module
 */
import { RE2JS } from "re2js";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";

/** A compiled pattern. */
export interface Pattern {
  /** Returns whether the pattern matches anywhere in `text`. */
  readonly test: (text: string) => boolean;
  /** Returns the match that begins at the start of `text`; undefined if there is none. */
  readonly atStart: (text: string) => string | undefined;
}

/** JavaScript's `\s`, and all other characters, for a character class. RE2's `\s` is ASCII only. */
const SPACE =
  "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
const NO_SPACE =
  "\\x00-\\x08\\x0e-\\x1f!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}" +
  "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";
/** JavaScript's `.` without the flag s. RE2's leaves out the line feed only. */
const DOT = "[^\\n\\r\\x{2028}\\x{2029}]";

/** The parts of a pattern that JavaScript and RE2 write differently. */
const PARTS =
  /\\u\{([\da-f]+)\}|\\u(d[89ab][\da-f]{2})\\u(d[c-f][\da-f]{2})|\\u([\da-f]{4})|\\[pP]\{(?:sc|Script)=(\w+)\}|\\c([a-z])|(\\.)|(\[\^?\]?)|(\])|(\(\?<)(?![=!])|(\.)/gisu;

/** Returns a pattern of JavaScript with the flag u as one of RE2 with the same matches. */
function translated(pattern: string): string {
  let isInClass = false;
  return pattern.replace(
    PARTS,
    (part, code, high, low, unit, script, control, escaped, open, close, name, dot) => {
      if (high !== undefined) {
        const point = String.fromCharCode(parseInt(high, 16), parseInt(low, 16)).codePointAt(0)!;
        return `\\x{${point.toString(16)}}`;
      }
      if ((code ?? unit) !== undefined) return `\\x{${code ?? unit}}`;
      if (script !== undefined) return `${part.slice(0, 2)}{${script}}`;
      if (control !== undefined) return `\\x{${(control.charCodeAt(0) % 32).toString(16)}}`;
      if (escaped === "\\s") return isInClass ? SPACE : `[${SPACE}]`;
      if (escaped === "\\S") return isInClass ? NO_SPACE : `[^${SPACE}]`;
      if (escaped === "\\b" && isInClass) return "\\x08";
      if (open !== undefined && isInClass) {
        isInClass = !open.endsWith("]");
        return `\\${open}`;
      }
      if (open === "[]") return "[^\\x00-\\x{10ffff}]";
      if (open === "[^]") return "[\\x00-\\x{10ffff}]";
      if (open !== undefined) isInClass = true;
      if (close !== undefined) isInClass = false;
      if (name !== undefined && !isInClass) return "(?P<";
      if (dot !== undefined && !isInClass) return DOT;
      return part;
    },
  );
}

/** `(?s:…)` and `(?m:…)`, whose dots and anchors `translated()` does not know. */
const MODIFIERS = /\(\?[a-z-]*[ms][a-z-]*:/;

/**
 * Compiles a user's pattern with the flag u (and i).
 * @throws {UsageError} if it is not a regular expression of JavaScript
 * @throws {DataError} if RE2 has no equal pattern: lookahead, backreferences, more than 1000 repetitions
 */
export function compilePattern(pattern: string, ignoreCase = false): Pattern {
  try {
    new RegExp(pattern, ignoreCase ? "iu" : "u");
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Invalid pattern of the checker: ${what}`, { cause });
  }
  const unsupported = (cause?: unknown) =>
    new DataError(
      "A pattern must run in linear time, without lookahead, backreferences and more than 1000 repetitions (a module as " +
        `checker may use them), got ${pattern}`,
      {},
      { cause },
    );
  if (MODIFIERS.test(pattern)) throw unsupported();
  const flags = RE2JS.LOOKBEHINDS | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  try {
    const compiled = RE2JS.compile(translated(pattern), flags);
    return {
      test: (text) => compiled.test(text),
      atStart: (text) => {
        const matcher = compiled.matcher(text);
        return matcher.lookingAt() ? matcher.group() ?? undefined : undefined;
      },
    };
  } catch (cause) {
    throw unsupported(cause);
  }
}

/**
 * Finds what a TypeScript module imports, without running or parsing it whole: a tokenizer that knows comments, strings,
 * templates and regular expressions, and a reader of import and export statements over its tokens.
 * @module
 */

/** A token: a word, a string's content, or a punctuator. Templates with holes and regular expressions carry no text. */
interface Token {
  readonly kind: "word" | "string" | "punctuator" | "other";
  readonly text: string;
}

/** What a module refers to. */
export interface ModuleReferences {
  /** specifiers of `import`, `export … from` and `import("…")` */
  readonly modules: readonly string[];
  /** paths of `new URL("…", import.meta.url)` */
  readonly files: readonly string[];
}

/** After these words a slash begins a regular expression. */
const BEFORE_EXPRESSION = new Set(
  "return typeof case in of delete void throw new else do await yield instanceof".split(" "),
);

/**
 * What `source` refers to, each once, in order. Type-only statements are left out: they change no bytes. So is what
 * stands inside `if (import.meta.main) { … }`: it runs the module as a program and is no part of what it exports.
 */
export function scanModule(source: string): ModuleReferences {
  const tokens = withoutMainBlocks(tokenize(source));
  const modules = new Set<string>();
  const files = new Set<string>();
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind !== "word" || isPunctuator(tokens[i - 1], ".")) continue;
    if (token.text === "import") {
      const found = importAt(tokens, i);
      if (found !== undefined) modules.add(found);
    } else if (token.text === "export") {
      const found = exportAt(tokens, i);
      if (found !== undefined) modules.add(found);
    } else if (token.text === "URL" && isPunctuator(tokens[i + 1], "(") && tokens[i + 2]?.kind === "string") {
      const rest = tokens.slice(i + 3, i + 9).map((t) => t.text).join("");
      if (rest.startsWith(",import.meta.url")) files.add(tokens[i + 2]!.text);
    }
  }
  return { modules: [...modules], files: [...files] };
}

function importAt(tokens: readonly Token[], i: number): string | undefined {
  const next = tokens[i + 1];
  if (next?.kind === "string") return next.text;
  if (isPunctuator(next, "(")) {
    const after = tokens[i + 3];
    const literal = tokens[i + 2]?.kind === "string" &&
      (isPunctuator(after, ")") || isPunctuator(after, ","));
    return literal ? tokens[i + 2]!.text : undefined;
  }
  if (isPunctuator(next, ".")) return undefined;
  // `import type X from`, `import type { … }`, `import type * as`; but `import type from "x"` imports a value.
  const second = tokens[i + 2];
  if (
    next?.text === "type" && next.kind === "word" && second && second.text !== "from" && second.text !== ","
  ) {
    return undefined;
  }
  return fromClause(tokens, i + 1);
}

function exportAt(tokens: readonly Token[], i: number): string | undefined {
  const next = tokens[i + 1];
  return isPunctuator(next, "*") || isPunctuator(next, "{") ? fromClause(tokens, i + 1) : undefined;
}

/** The string of the `from "…"` that ends the clause of names beginning at `i`. */
function fromClause(tokens: readonly Token[], i: number): string | undefined {
  for (; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind === "word" && token.text === "from" && tokens[i + 1]?.kind === "string") {
      return tokens[i + 1]!.text;
    }
    const fits = token.kind === "word" || token.kind === "string" ||
      ["{", "}", ",", "*"].includes(token.text);
    if (!fits || token.text === "import" || token.text === "export") return undefined;
  }
  return undefined;
}

function withoutMainBlocks(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const words = tokens.slice(i, i + 8).map((t) => t.kind === "string" ? "" : t.text).join("");
    if (words.startsWith("if(import.meta.main)") && isPunctuator(tokens[i + 8], "{")) {
      let depth = 0;
      for (i += 8; i < tokens.length; i++) {
        if (isPunctuator(tokens[i], "{")) depth++;
        if (isPunctuator(tokens[i], "}") && --depth === 0) break;
      }
    } else kept.push(tokens[i]!);
  }
  return kept;
}

function isPunctuator(token: Token | undefined, text: string): boolean {
  return token?.kind === "punctuator" && token.text === text;
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  /** depths of braces at which a template's hole ends */
  const holes: number[] = [];
  let depth = 0;
  let at = 0;
  const push = (kind: Token["kind"], text: string) => tokens.push({ kind, text });

  /** Reads a template from `at` to its end or its next hole. */
  function template(): void {
    const start = at;
    while (at < source.length) {
      if (source[at] === "\\") at += 2;
      else if (source[at] === "`") {
        push("string", source.slice(start, at++));
        return;
      } else if (source.startsWith("${", at)) {
        push("other", "");
        holes.push(depth);
        at += 2;
        return;
      } else at++;
    }
  }

  while (at < source.length) {
    const c = source[at]!;
    if (/\s/.test(c)) at++;
    else if (source.startsWith("//", at) || source.startsWith("#!", at) && at === 0) {
      const end = source.indexOf("\n", at);
      at = end < 0 ? source.length : end;
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      at = end < 0 ? source.length : end + 2;
    } else if (c === '"' || c === "'") {
      let end = at + 1;
      while (end < source.length && source[end] !== c && source[end] !== "\n") {
        end += source[end] === "\\" ? 2 : 1;
      }
      push("string", unescape(source.slice(at + 1, end)));
      at = end + 1;
    } else if (c === "`") {
      at++;
      template();
    } else if (c === "/" && beginsRegExp(tokens.at(-1))) {
      at = regExpEnd(source, at);
      push("other", "");
    } else if (/[\p{ID_Start}$_#@]/u.test(c)) {
      const word = /[\p{ID_Continue}$_#@\u200c\u200d]+/uy;
      word.lastIndex = at;
      const text = word.exec(source)?.[0] ?? c;
      push("word", text);
      at += text.length;
    } else if (/[0-9]/.test(c)) {
      const number = /[0-9][\w.]*/y;
      number.lastIndex = at;
      at += number.exec(source)![0].length;
      push("other", "");
    } else {
      at++;
      if (c === "{") depth++;
      if (c === "}" && holes.at(-1) === depth) {
        holes.pop();
        template();
        continue;
      }
      if (c === "}") depth--;
      push("punctuator", c);
    }
  }
  return tokens;
}

function beginsRegExp(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_EXPRESSION.has(before.text);
  return before.kind === "punctuator" && before.text !== ")" && before.text !== "]" && before.text !== "}";
}

function regExpEnd(source: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  for (; at < source.length && source[at] !== "\n"; at++) {
    if (source[at] === "\\") at++;
    else if (source[at] === "[") inClass = true;
    else if (source[at] === "]") inClass = false;
    else if (source[at] === "/" && !inClass) return at + 1;
  }
  // No end on this line: it was a division.
  return start + 1;
}

function unescape(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/gs, "$1") : text;
}

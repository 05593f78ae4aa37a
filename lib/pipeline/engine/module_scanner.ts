/**
 * Finds the imports of a TypeScript module without running or fully parsing it: a tokenizer for comments, strings,
 * templates and regular expressions, and a reader of import and export statements over its tokens.
 * @module
 */

/** A token: a word, a string's content, or a punctuator. */
interface Token {
  readonly kind: "word" | "string" | "punctuator" | "other";
  readonly text: string;
}

/** A number, a regular expression, or a part of a template before a hole. */
const OTHER: Token = { kind: "other", text: "" };

/** The references of a module. */
export interface ModuleReferences {
  /** specifiers of `import`, `export … from` and `import("…")` */
  readonly modules: readonly string[];
  /** paths of `new URL("…", import.meta.url)` */
  readonly files: readonly string[];
}

/** Words after which a slash begins a regular expression. */
const BEFORE_EXPRESSION = new Set(
  "return typeof case in of delete void throw new else do await yield instanceof".split(" "),
);

/**
 * Returns the references of `source`, each once, in order. Type-only statements are left out, as they change no bytes, and
 * so are blocks `if (import.meta.main) { … }`, which run the module as a program and do not affect its exports.
 */
export function scanModule(source: string): ModuleReferences {
  const tokens = withoutMainBlocks(tokenize(source));
  const modules = new Set<string>();
  const files = new Set<string>();
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind !== "word" || isPunctuator(tokens[i - 1], ".")) continue;
    if (token.text === "import" || token.text === "export") {
      const found = token.text === "import" ? importAt(tokens, i) : exportAt(tokens, i);
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

/** Returns the string of the `from "…"` that ends the clause of names beginning at `i`. */
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

/** The next lexeme outside templates and regular expressions. */
const LEXEME = new RegExp(
  [
    /(?<skipped>\s+|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$))/,
    /(?<text>"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?)/,
    /(?<word>[\p{ID_Start}$_#@][\p{ID_Continue}$_#@\u200c\u200d]*)/u,
    /(?<number>[0-9][\w.]*)/,
    /(?<punctuator>[^])/,
  ].map(({ source }) => source).join("|"),
  "uy",
);
const REGULAR_EXPRESSION = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//uy;
/** A part of a template up to its end or its next hole. */
const TEMPLATE_PART = /(?:\\[^]|\$(?!\{)|[^`\\$])*(?<end>`|\$\{|$)/uy;

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  /** depths of braces at which a template's hole ends */
  const holes: number[] = [];
  let depth = 0;
  let at = /^#![^\n]*/.exec(source)?.[0].length ?? 0;
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const readTemplate = () => {
    const { 0: text, groups } = match(TEMPLATE_PART)!;
    const isHole = groups!.end === "${";
    if (isHole) holes.push(depth);
    tokens.push(isHole ? OTHER : { kind: "string", text: text.replace(/`$/, "") });
  };
  while (at < source.length) {
    const isComment = source.startsWith("//", at) || source.startsWith("/*", at);
    if (source[at] === "/" && !isComment && beginsRegExp(tokens.at(-1)) && match(REGULAR_EXPRESSION)) {
      tokens.push(OTHER);
      continue;
    }
    const { text, word, number, punctuator } = match(LEXEME)!.groups!;
    if (text !== undefined) tokens.push({ kind: "string", text: unescape(text.replace(/^.|["']$/g, "")) });
    else if (word !== undefined) tokens.push({ kind: "word", text: word });
    else if (number !== undefined) tokens.push(OTHER);
    else if (punctuator === "`") readTemplate();
    else if (punctuator !== undefined) {
      if (punctuator === "}" && holes.at(-1) === depth) {
        holes.pop();
        readTemplate();
        continue;
      }
      depth += punctuator === "{" ? 1 : punctuator === "}" ? -1 : 0;
      tokens.push({ kind: "punctuator", text: punctuator });
    }
  }
  return tokens;
}

function beginsRegExp(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_EXPRESSION.has(before.text);
  return before.kind === "punctuator" && ![")", "]", "}"].includes(before.text);
}

function unescape(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/gs, "$1") : text;
}

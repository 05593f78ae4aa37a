/**
 * Splits English text into sentences as NLTK's Punkt tokenizer does with its English parameters (`nltk.sent_tokenize`).
 * Source: nltk/tokenize/punkt.py of NLTK 3.10 (Apache License 2.0); Kiss and Strunk 2006, Unsupervised Multilingual Sentence
 * Boundary Detection. Section numbers below are those of the paper.
 * @module
 */
import { bundledText } from "../data_file.ts";
import {
  isLower,
  isUpper,
  NLTK_SPACE,
  NLTK_WORD,
  PYTHON_END,
  PYTHON_LINE_END,
  strip,
  stripEnd,
} from "../python/text.ts";

/** punkt_english.json: what Punkt learned. */
interface Parameters {
  readonly abbreviations: ReadonlySet<string>;
  /** pairs of types, joined with a tab */
  readonly collocations: ReadonlySet<string>;
  readonly starters: ReadonlySet<string>;
  /** by type: the positions and cases that it occurred in, as bits */
  readonly contexts: ReadonlyMap<string, number>;
}

const MIDDLE_UPPER = 4, UPPER = 2 + 4 + 8, START_LOWER = 16, LOWER = 16 + 32 + 64;

const S = `[${NLTK_SPACE}]`, NOT_S = `[^${NLTK_SPACE}]`;
const NON_WORD = `[)";}\\]*:@'({\\[\\u2018\\u2019\\u201c\\u201d\\xab\\xbb?!]`;
const MULTIPLE = `(?:-{2,}|\\.{2,}|(?:\\.${S}){2,}\\.)`;
const WORD_START = '[^("`\\{\\[:;&#*@)}\\]\\-,]';
const TOKEN = new RegExp(
  `${MULTIPLE}|(?=${WORD_START})${NOT_S}+?(?=${S}|${PYTHON_END}|${NON_WORD}|${MULTIPLE}|` +
    `,(?=${PYTHON_END}|${S}|${NON_WORD}|${MULTIPLE}))|${NOT_S}`,
  "gu",
);
const SENTENCE_END = new RegExp(`[.?!](?=(${NON_WORD}|${S}+(${NOT_S}+)))`, "gdu");
const REALIGNED = new RegExp(
  `^["')\\]}\\u2018\\u2019\\u201c\\u201d\\xab\\xbb]+?(?:${S}+|(?=--)|${PYTHON_LINE_END})`,
  "u",
);
const NUMERIC = new RegExp(`^-?[.,]?\\p{Nd}[\\p{Nd},.\\-]*\\.?${PYTHON_END}`, "u");
const LETTER = `(?:(?!\\p{Nd})[${NLTK_WORD}])`;
const INITIAL = new RegExp(`^${LETTER}\\.${PYTHON_END}`, "u");

/** A word with Punkt's annotations. */
interface Token {
  readonly text: string;
  /** in lower case, numbers replaced */
  readonly type: string;
  isBreak: boolean;
  isAbbreviation: boolean;
  isEllipsis: boolean;
}

let loaded: Parameters | undefined;

function parameters(): Parameters {
  if (loaded) return loaded;
  const data = JSON.parse(bundledText("punkt_english.json")) as {
    readonly abbreviations: readonly string[];
    readonly collocations: readonly (readonly string[])[];
    readonly sentence_starters: readonly string[];
    readonly ortho_context: Readonly<Record<string, number>>;
  };
  return loaded = {
    abbreviations: new Set(data.abbreviations),
    collocations: new Set(data.collocations.map((pair) => pair.join("\t"))),
    starters: new Set(data.sentence_starters),
    contexts: new Map(Object.entries(data.ortho_context)),
  };
}

/** Returns the sentences of `text`, without the white space between them. */
export function sentencesOf(text: string): string[] {
  const slices = slicesOf(text), sentences: string[] = [];
  let moved = 0;
  for (const [k, [first, end]] of slices.entries()) {
    const start = first + moved;
    const next = slices[k + 1];
    const match = next && REALIGNED.exec(text.slice(...next));
    if (match) {
      sentences.push(text.slice(start, next[0] + stripEnd(match[0]).length));
      moved = match[0].length;
    } else {
      moved = 0;
      if (start < end) sentences.push(text.slice(start, end));
    }
  }
  return sentences;
}

/** Returns where sentences begin and end, before closing quotes and brackets are moved to the sentence that they close. */
function slicesOf(text: string): [start: number, end: number][] {
  const slices: [number, number][] = [];
  let start = 0;
  for (const { context, end, next } of possibleEnds(text)) {
    if (!hasBreak(context)) continue;
    slices.push([start, end]);
    start = next;
  }
  slices.push([start, stripEnd(text).length]);
  return slices;
}

/** A full stop, question or exclamation mark that may end a sentence. */
interface PossibleEnd {
  /** the word that it ends, and what follows */
  readonly context: string;
  readonly end: number;
  /** where the next sentence would begin */
  readonly next: number;
}

function* possibleEnds(text: string): Generator<PossibleEnd> {
  let word: readonly [start: number, end: number] = [0, 0], match: RegExpExecArray | undefined;
  const endOf = (found: RegExpExecArray): PossibleEnd => ({
    context: text.slice(...word) + found[0] + found[1]!,
    end: found.index + 1,
    next: found.indices?.[2]?.[0] ?? found.index + 1,
  });
  for (const found of text.matchAll(SENTENCE_END)) {
    const before = text.slice(word[1], found.index);
    const space = lastSpace(before);
    const start = space > 0 ? word[1] + space + 1 : word[0];
    if (match && word[1] <= start) yield endOf(match);
    match = found;
    word = [start, found.index];
  }
  if (match) yield endOf(match);
}

/** Returns the position of the last ASCII white space; 0 if there is none. */
function lastSpace(text: string): number {
  for (let i = text.length - 1; i >= 0; i--) if (" \t\n\r\x0b\x0c".includes(text[i]!)) return i;
  return 0;
}

function hasBreak(context: string): boolean {
  const tokens = context.split("\n").filter((line) => strip(line) !== "").flatMap((line) =>
    line.match(TOKEN) ?? []
  ).map(annotated);
  for (const [i, token] of tokens.slice(0, -1).entries()) {
    revise(token, tokens[i + 1]!);
    if (token.isBreak) return true;
  }
  return false;
}

/** Returns a token with what its type alone tells. */
function annotated(text: string): Token {
  const lower = text.toLowerCase();
  const token: Token = {
    text,
    type: lower.replace(NUMERIC, "##number##"),
    isBreak: false,
    isAbbreviation: false,
    isEllipsis: false,
  };
  if (text === "." || text === "?" || text === "!") token.isBreak = true;
  else if (/^\.\.+$/.test(text)) token.isEllipsis = true;
  else if (text.endsWith(".") && !text.endsWith("..")) {
    const word = lower.slice(0, -1), { abbreviations } = parameters();
    if (abbreviations.has(word) || abbreviations.has(word.split("-").at(-1)!)) token.isAbbreviation = true;
    else token.isBreak = true;
  }
  return token;
}

function withoutPeriod(type: string): string {
  return type.length > 1 && type.endsWith(".") ? type.slice(0, -1) : type;
}

/** Corrects the annotation of a token that ends with a full stop, by the token after it. */
function revise(token: Token, next: Token): void {
  if (!token.text.endsWith(".")) return;
  const { collocations, starters, contexts } = parameters();
  const type = withoutPeriod(token.type);
  const nextType = next.isBreak ? withoutPeriod(next.type) : next.type;
  const isInitial = INITIAL.test(token.text);
  if (collocations.has(`${type}\t${nextType}`)) { // 4.1.2
    token.isBreak = false;
    token.isAbbreviation = true;
    return;
  }
  const nextIsUpper = isUpper(firstOf(next.text));
  if ((token.isAbbreviation || token.isEllipsis) && !isInitial) { // 4.2
    if (startsSentence(next, nextType) === true || nextIsUpper && starters.has(nextType)) {
      token.isBreak = true;
      return;
    }
  }
  if (!isInitial && type !== "##number##") return; // 4.3
  const starts = startsSentence(next, nextType);
  const isName = starts === undefined && isInitial && nextIsUpper && !((contexts.get(nextType) ?? 0) & LOWER);
  if (starts === false || isName) {
    token.isBreak = false;
    token.isAbbreviation = true;
  }
}

/** Returns whether a token begins a sentence, by the cases that its type occurred in (4.1.1); undefined if they do not tell. */
function startsSentence({ text }: Token, type: string): boolean | undefined {
  if (text.length === 1 && ";:,.!?".includes(text)) return false;
  const context = parameters().contexts.get(type) ?? 0, first = firstOf(text);
  if (isUpper(first) && context & LOWER && !(context & MIDDLE_UPPER)) return true;
  if (isLower(first) && (context & UPPER || !(context & START_LOWER))) return false;
  return undefined;
}

function firstOf(text: string): string {
  return String.fromCodePoint(text.codePointAt(0)!);
}

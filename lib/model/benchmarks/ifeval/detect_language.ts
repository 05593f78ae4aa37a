/**
 * Detects the language of a text: langdetect 1.0.9 with `DetectorFactory.seed = 0`, with its profiles and random numbers, because
 * IFEval's outcomes depend on its errors too (no other library agrees on texts in capital letters; see docs/evaluate.md).
 * Source: langdetect, a port of Nakatani Shuyo's language-detection, Apache License 2.0 (fixtures/benchmarks/README.md).
 * @module
 */
import { bundledText } from "../data_file.ts";
import { PythonRandom } from "../python/random.ts";
import { isUpper } from "../python/text.ts";

/** langdetect.json */
interface DetectionData {
  readonly profiles: readonly {
    readonly name: string;
    /** how many 1-, 2- and 3-grams the profile counted */
    readonly n_words: readonly number[];
    readonly freq: Readonly<Record<string, number>>;
  }[];
  /** characters of one group count as the first */
  readonly kanji: readonly string[];
  readonly vi: { readonly marks: string; readonly letters: string; readonly normalized: readonly string[] };
  readonly latin1_excluded: string;
}

/** The profiles as tables. */
interface Tables {
  readonly languages: readonly string[];
  /** by n-gram: its frequency in every language */
  readonly frequencies: ReadonlyMap<string, Float64Array>;
  readonly kanji: ReadonlyMap<string, string>;
  readonly vietnamese: DetectionData["vi"];
  readonly latin1Excluded: string;
}

const SMOOTHING = 0.5, SMOOTHING_WIDTH = 0.05, BASE_FREQUENCY = 10_000;
const TRIALS = 7, MAX_STEPS = 1000, CONVERGED = 0.99999, MIN_PROBABILITY = 0.1, MAX_LENGTH = 10_000;

const URLS = /https?:\/\/[-_.?&~;+=/#0-9A-Za-z]{1,2076}/g;
const ADDRESSES = /[-_.0-9A-Za-z]{1,64}@[-_0-9A-Za-z]{1,255}[-_.0-9A-Za-z]{1,255}/g;

let loaded: Tables | undefined;

function tables(): Tables {
  if (loaded) return loaded;
  const data = JSON.parse(bundledText("langdetect.json")) as DetectionData;
  const frequencies = new Map<string, Float64Array>();
  for (const [k, { n_words: counts, freq }] of data.profiles.entries()) {
    for (const [gram, count] of Object.entries(freq)) {
      let row = frequencies.get(gram);
      if (!row) frequencies.set(gram, row = new Float64Array(data.profiles.length));
      row[k] = count / counts[[...gram].length - 1]!;
    }
  }
  const kanji = new Map(data.kanji.flatMap((group) => [...group].map((char) => [char, [...group][0]!])));
  return loaded = {
    languages: data.profiles.map(({ name }) => name),
    frequencies,
    kanji,
    vietnamese: data.vi,
    latin1Excluded: data.latin1_excluded,
  };
}

/**
 * Returns the ISO 639-1 code of the text's language, or `unknown`; undefined where langdetect raises an exception because the text
 * has no letters that it knows.
 */
export function detectLanguage(text: string): string | undefined {
  const table = tables();
  const grams = gramsOf(cleaned(appended(text, table)), table);
  if (grams.length === 0) return undefined;
  const languages = table.languages.length;
  const total = new Float64Array(languages);
  const random = new PythonRandom(0);
  for (let trial = 0; trial < TRIALS; trial++) {
    const found = oneTrial(grams, languages, random);
    for (let k = 0; k < languages; k++) total[k]! += found[k]! / TRIALS;
  }
  let best = -1;
  for (let k = 0; k < languages; k++) {
    if (total[k]! > MIN_PROBABILITY && (best < 0 || total[k]! > total[best]!)) best = k;
  }
  return best < 0 ? "unknown" : table.languages[best]!;
}

/** Returns the probabilities of the languages after n-grams drawn until one of them is almost certain. */
function oneTrial(grams: readonly Float64Array[], languages: number, random: PythonRandom): Float64Array {
  const probabilities = new Float64Array(languages).fill(1 / languages);
  const weight = (SMOOTHING + random.gauss() * SMOOTHING_WIDTH) / BASE_FREQUENCY;
  for (let step = 0;; step++) {
    const frequencies = random.choice(grams);
    for (let k = 0; k < languages; k++) probabilities[k]! *= weight + frequencies[k]!;
    if (step % 5 !== 0) continue;
    let sum = 0, largest = 0;
    for (let k = 0; k < languages; k++) sum += probabilities[k]!;
    for (let k = 0; k < languages; k++) {
      probabilities[k]! /= sum;
      if (probabilities[k]! > largest) largest = probabilities[k]!;
    }
    if (largest > CONVERGED || step >= MAX_STEPS) return probabilities;
  }
}

/** Returns the characters that are read: without addresses, runs of spaces and what is beyond the limit. */
function appended(text: string, { vietnamese: { marks, letters, normalized } }: Tables): string[] {
  const composed = text.replace(URLS, " ").replace(ADDRESSES, " ").replace(
    new RegExp(`([${letters}])([${marks}])`, "gu"),
    (_, letter: string, mark: string) => normalized[marks.indexOf(mark)]![letters.indexOf(letter)]!,
  );
  const characters = [...composed].slice(0, MAX_LENGTH);
  return characters.filter((char, i) => char !== " " || characters[i - 1] !== " ");
}

/** Removes Latin letters from a text that has twice as many others. */
function cleaned(characters: readonly string[]): readonly string[] {
  let latin = 0, others = 0;
  for (const char of characters) {
    if (char >= "A" && char <= "z") latin++;
    else if (char >= "\u0300") others++;
  }
  return latin * 2 < others ? characters.filter((char) => char < "A" || char > "z") : characters;
}

/** Returns the frequencies of the text's known 1-, 2- and 3-grams, in order; none from inside words in capital letters. */
function gramsOf(characters: readonly string[], table: Tables): Float64Array[] {
  const found: Float64Array[] = [];
  let grams = [" "], isCapitalWord = false;
  for (const original of characters) {
    const char = normalized(original, table);
    const last = grams.at(-1)!;
    let isSkipped = false;
    if (last === " ") {
      [grams, isCapitalWord] = [[" "], false];
      isSkipped = char === " ";
    } else if (grams.length >= 3) grams.shift();
    if (!isSkipped) {
      grams.push(char);
      if (!isUpper(char)) isCapitalWord = false;
      else if (isUpper(last)) isCapitalWord = true;
    }
    if (isCapitalWord) continue;
    for (let n = 1; n <= grams.length; n++) {
      const gram = grams.slice(-n).join("");
      const frequencies = gram === " " ? undefined : table.frequencies.get(gram);
      if (frequencies) found.push(frequencies);
    }
  }
  return found;
}

/** Returns the character that stands for `char` in the profiles. */
function normalized(char: string, { kanji, latin1Excluded }: Tables): string {
  const code = char.codePointAt(0)!;
  const isIn = (first: number, last: number) => code >= first && code <= last;
  if (code <= 0x7f) return /[A-Za-z]/.test(char) ? char : " ";
  if (isIn(0x80, 0xff)) return latin1Excluded.includes(char) ? " " : char;
  if (char === "\u0219") return "\u015f";
  if (char === "\u021b") return "\u0163";
  if (isIn(0x2000, 0x206f)) return " ";
  if (char === "\u06cc") return "\u064a";
  if (isIn(0x1ea0, 0x1eff)) return "\u1ec3";
  if (isIn(0x3040, 0x309f)) return "\u3042";
  if (isIn(0x30a0, 0x30ff)) return "\u30a2";
  if (isIn(0x3100, 0x312f) || isIn(0x31a0, 0x31bf)) return "\u3105";
  if (isIn(0x4e00, 0x9fff)) return kanji.get(char) ?? char;
  return isIn(0xac00, 0xd7af) ? "\uac00" : char;
}

/**
 * Texts that different tokenizers often encode differently.
 * @module
 */

const STORIES = ["Lily", "Tom", "Ben", "Mia", "the cat"].flatMap((name) => [
  `Once upon a time, there was a little girl named ${name}.`,
  `${name} went to the park. "Look!" said ${name}.`,
  ` ${name} didn't want to share her toy, but mom's smile helped.`,
  `${name}\n\nThe end.\n`,
]);

/** 50 texts. */
export const TEXTS: readonly string[] = [
  ...STORIES,
  "",
  " ",
  "   ",
  "\n",
  "\t\t",
  "a",
  " a",
  "a ",
  "  a  b   c  ",
  "AbC dEf GHI",
  "0123456789 3.14 1,000,000",
  "!?.,;:'\"()[]{}<>@#$%^&*-_=+/\\|`~",
  "don't can't won't I'm you're",
  "…—–“quotes” ‘single’",
  "café naïve über Straße",
  "cafe\u0301 with a combining accent",
  "日本語の文章です。",
  "Привет, мир",
  "مرحبا بالعالم",
  "한국어 문장",
  "😀 👩‍👩‍👧‍👦 🇩🇪",
  "\u200b zero width \u200d joiner",
  "non\u00a0breaking",
  "<s> written out </s>",
  "<s><s></s>",
  "<unk> and <pad>",
  "▁ an underscore that means a space",
  "x".repeat(100),
  "https://example.org/a?b=c&d=%20",
  "let f = (x) => { return x ** 2; };",
];

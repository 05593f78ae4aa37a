/** Mutations of valid files, the same for the same case number. @module */

/** Texts that have broken readers: extreme numbers, brackets, escapes, control characters. */
const TEXTS = [
  ..."{}[]\"',:;|<>&*!?-\n\r\t\\\0",
  ..."1e999 -1 4294967296 9007199254740993 NaN null true {} [] [[[[ {{ }} {% %} {%- endfor %} \\u0000 \\ud800"
    .split(" "),
  ..."__proto__ constructor toString length &a *a <<: !!binary %YAML ${} \ufeff \u202e".split(" "),
  ...[
    "%if",
    "{% for x in messages %}",
    "{{ messages[0] }}",
    " + 1",
    "[0]",
    '"":',
    "0".repeat(400),
    "[".repeat(2000),
  ],
].map((text) => new TextEncoder().encode(text));

/** Integers that have broken readers, as 8 bytes of which the first 1, 2, 4 or 8 are written. */
const NUMBERS = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  255n,
  65535n,
  2n ** 31n - 1n,
  -(2n ** 31n),
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
];

/** Returns random numbers below `n`, the same for the same seed. */
export function randomNumbers(seed: number): (n: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * n) | 0;
  };
}

/** Returns case `number`: one of `samples` with one to eight mutations, and every tenth time random bytes. */
export function mutated(samples: readonly Uint8Array[], number: number): Uint8Array<ArrayBuffer> {
  const below = randomNumbers(number);
  if (number % 10 === 9) return Uint8Array.from({ length: below(400) }, () => below(256));
  let bytes = samples[below(samples.length)]!;
  const value = number % 2 === 0 ? jsonOf(bytes) : undefined;
  if (value !== undefined) return new TextEncoder().encode(JSON.stringify(otherValue(value, below)));
  const times = below(2) === 0 ? 1 : 1 + below(6);
  for (let i = 0; i < times; i++) bytes = mutateOnce(bytes, below);
  return bytes.slice() as Uint8Array<ArrayBuffer>;
}

/** Returns the object that a sample of JSON holds; undefined for other samples. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return bytes[0] === 0x7b ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
  } catch {
    return undefined;
  }
}

const VALUES = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    0.5,
    1e9,
    1e18,
    -1e300,
    2 ** 31,
    2 ** 53,
    "",
    "a",
    "__proto__",
    "\ud800",
    [],
    {},
    [[]],
  ],
  ...[
    [null],
    [1, 2, 3],
    { type: "Sequence" },
    { Regex: "(" },
    { Regex: "(a+)+$" },
    { String: "" },
    "(a|a)*b",
    "9".repeat(99),
  ],
];

/** Returns a JSON value with one to three parts replaced, removed or doubled. */
function otherValue(value: unknown, below: (n: number) => number): unknown {
  let changed = value;
  for (let times = 1 + below(3); times > 0; times--) changed = otherPart(changed, below);
  return changed;
}

function otherPart(value: unknown, below: (n: number) => number): unknown {
  if (typeof value !== "object" || value === null) return VALUES[below(VALUES.length)];
  const entries = Object.entries(value);
  if (entries.length === 0 || below(12) === 0) return VALUES[below(VALUES.length)];
  const at = below(entries.length), [key, item] = entries[at]!;
  const what = below(10);
  if (what === 0) entries.splice(at, 1);
  else if (what === 1) entries.push([`${key}_`, item]);
  else entries[at] = [key, otherPart(item, below)];
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

function mutateOnce(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
  const at = below(bytes.length + 1), length = Math.min(below(below(2) === 0 ? 8 : 200), bytes.length - at);
  const replaced = (...parts: readonly Uint8Array[]) => joined([bytes.subarray(0, at), ...parts]);
  switch (below(8)) {
    case 0:
    case 1: {
      const changed = bytes.slice();
      if (at < changed.length) changed[at]! ^= 1 << below(8);
      return changed;
    }
    case 2: {
      const changed = bytes.slice(),
        number = new Uint8Array(new BigInt64Array([NUMBERS[below(NUMBERS.length)]!]).buffer);
      changed.set(number.subarray(0, Math.min(1 << below(4), changed.length - at)), at);
      return changed;
    }
    case 3:
      return replaced(bytes.subarray(at + length));
    case 4:
      return replaced(bytes.subarray(at, at + length), bytes.subarray(at));
    case 5:
      return bytes.slice(0, at);
    case 6:
      return replaced(TEXTS[below(TEXTS.length)]!, bytes.subarray(at));
    default:
      return replaced(TEXTS[below(TEXTS.length)]!, bytes.subarray(at + length));
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

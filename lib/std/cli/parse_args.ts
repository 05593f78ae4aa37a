/**
 * Local stand-in for `jsr:@std/cli/parse-args`, written from its documentation: long and short flags, `--no-x`,
 * lists, aliases, defaults, dotted names as nested objects, numbers where a flag is not declared a string.
 *
 * Two differences. A negative number after a flag is its value (`--floor -6`; the original wants `--floor=-6`). The
 * options `--`, `stopEarly` and `boolean: true` are left out.
 * @module
 */

/** Options of parseArgs(), named as in the original. */
export interface ParseOptions {
  /** flags that take no value but `true` or `false`; false when absent */
  readonly boolean?: readonly string[];
  /** flags whose value stays a string, empty if there is none; `_` keeps positional words strings */
  readonly string?: readonly string[];
  /** flags that may occur several times and give an array, empty when absent */
  readonly collect?: readonly string[];
  /** flags that `--no-x` sets to false */
  readonly negatable?: readonly string[];
  /** values of absent flags */
  readonly default?: Readonly<Record<string, unknown>>;
  /** other names by name; both appear in the result */
  readonly alias?: Readonly<Record<string, string | readonly string[]>>;
  /** called with each word that is not declared, and with name and value if it is a flag; false drops it */
  readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Parsed flags by name; `_` holds the positional words. */
export interface Args {
  /** values of flags: string, number, boolean, an array of these, or an object for dotted names */
  // deno-lint-ignore no-explicit-any -- the signature of the original
  [name: string]: any;
  /** words that belong to no flag */
  _: (string | number)[];
}

/** Parses `args` (words after the program's name). A lone `--` ends the flags. */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const { unknown } = options;
  const names = groups(options.alias ?? {});
  const booleans = spread(options.boolean, names);
  const strings = spread(options.string, names);
  const lists = spread(options.collect, names);
  const negatable = spread(options.negatable, names);
  const out: Args = { _: [] };

  function declared(name: string): boolean {
    return booleans.has(name) || strings.has(name) || names.has(name);
  }
  function give(name: string, value: string | boolean, arg: string): void {
    if (!declared(name) && unknown?.(arg, name, value) === false) return;
    const read = typeof value === "string" && !strings.has(name) ? toNumber(value) : value;
    for (const each of names.get(name) ?? [name]) put(out, each, read, lists.has(name));
  }
  function positional(word: string): void {
    out._.push(strings.has("_") ? word : toNumber(word));
  }

  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  for (let i = 0; i < words.length; i++) {
    const arg = words[i]!;
    if (!/^-./s.test(arg)) {
      if (unknown?.(arg) !== false) positional(arg);
      continue;
    }
    const [, dashes = "", letters = "", assigned] = arg.match(/^(--?)([^=]+)(?:=(.*))?$/s) ??
      [, "--", arg.slice(2)];
    // -abc is -a -b -c: only the last of them can take a value.
    const flags = dashes === "--" ? [letters] : [...letters];
    const name = flags.pop()!;
    for (const flag of flags) give(flag, strings.has(flag) ? "" : true, arg);
    const negated = dashes === "--" && name.startsWith("no-") ? name.slice("no-".length) : undefined;
    const next = words[i + 1];
    if (assigned !== undefined) {
      give(name, booleans.has(name) ? assigned !== "false" : assigned, arg);
    } else if (negated !== undefined && negatable.has(negated)) {
      give(negated, false, arg);
    } else if (next !== undefined && isValueOf(name, next)) {
      give(name, booleans.has(name) ? next === "true" : next, arg);
      i++;
    } else {
      give(name, strings.has(name) ? "" : true, arg);
    }
  }
  function isValueOf(name: string, next: string): boolean {
    if (booleans.has(name)) return next === "true" || next === "false";
    return !/^-./s.test(next) || /^-\.?\d/.test(next);
  }

  const absent = [
    ...Object.entries(options.default ?? {}),
    ...[...lists].map((name) => [name, []] as const),
    ...[...booleans].map((name) => [name, false] as const),
  ];
  for (const [name, value] of absent) {
    for (const each of names.get(name) ?? [name]) {
      if (!isSet(out, each)) put(out, each, structuredClone(value), false);
    }
  }
  if (end >= 0) args.slice(end + 1).forEach(positional);
  return out;
}

/** Every name with all names of its flag. */
function groups(alias: Readonly<Record<string, string | readonly string[]>>): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const [name, others] of Object.entries(alias)) {
    const all = [name, ...(typeof others === "string" ? [others] : others)];
    for (const each of all) found.set(each, all);
  }
  return found;
}

function spread(listed: readonly string[] = [], names: Map<string, readonly string[]>): Set<string> {
  return new Set(listed.flatMap((name) => names.get(name) ?? [name]));
}

function toNumber(word: string): string | number {
  return /\S/.test(word) && Number.isFinite(Number(word)) ? Number(word) : word;
}

/** Sets `a.b.c` in nested objects; own properties only, so that no name reaches a prototype. */
function put(out: Args, name: string, value: unknown, list: boolean): void {
  const path = name.split(".");
  let at: Record<string, unknown> = out;
  for (const part of path.slice(0, -1)) {
    if (!Object.hasOwn(at, part) || typeof at[part] !== "object" || at[part] === null) own(at, part, {});
    at = at[part] as Record<string, unknown>;
  }
  const last = path.at(-1)!;
  const before = Object.hasOwn(at, last) ? at[last] : undefined;
  own(at, last, list ? [...(Array.isArray(before) ? before : []), value] : value);
}

function own(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

function isSet(out: Args, name: string): boolean {
  let at: unknown = out;
  for (const part of name.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return false;
    at = (at as Record<string, unknown>)[part];
  }
  return true;
}

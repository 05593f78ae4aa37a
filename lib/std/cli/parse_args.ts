/**
 * Local stand-in for `jsr:@std/cli/parse-args`: the options of the original that this project uses, over
 * `node:util.parseArgs`. Unknown flags go to `options.unknown` as in the original.
 * @module
 */
import { parseArgs as nodeParseArgs } from "node:util";

/** What may be told about flags, in the spelling of the original. */
export interface ParseOptions {
  /** flags that take no value; `--no-x` sets false where `negatable` lists x */
  readonly boolean?: readonly string[];
  /** flags whose value stays a string */
  readonly string?: readonly string[];
  /** flags that may occur several times and give an array */
  readonly collect?: readonly string[];
  readonly negatable?: readonly string[];
  readonly default?: Readonly<Record<string, unknown>>;
  readonly alias?: Readonly<Record<string, string>>;
  /** called with each flag or word that is not declared; false drops it */
  readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Parsed flags by name; `_` holds the positional words. */
export interface Args {
  // deno-lint-ignore no-explicit-any -- the signature of the original
  [name: string]: any;
  _: string[];
}

/** Parses `args` (words after the program's name). A lone `--` ends the flags. */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const booleans = new Set(options.boolean ?? []);
  const collect = new Set(options.collect ?? []);
  const declared = new Set([...booleans, ...(options.string ?? []), ...collect]);
  const spelled: Record<string, { type: "boolean" | "string"; multiple: boolean; short?: string }> = {};
  for (const name of declared) {
    spelled[name] = { type: booleans.has(name) ? "boolean" : "string", multiple: collect.has(name) };
  }
  for (const [short, name] of Object.entries(options.alias ?? {})) {
    if (short.length === 1 && spelled[name]) spelled[name].short = short;
  }
  const { tokens } = nodeParseArgs({ args: [...args], options: spelled, strict: false, tokens: true, allowNegative: true });
  const out: Args = { _: [] };
  for (const name of booleans) out[name] = false;
  for (const name of collect) out[name] = [];
  Object.assign(out, structuredClone(options.default ?? {}));
  const taken = new Set<number>();
  for (const token of tokens) {
    if (taken.has(token.index)) continue;
    if (token.kind === "positional") {
      if (options.unknown?.(token.value) !== false) out._.push(token.value);
    } else if (token.kind === "option") {
      const negated = token.rawName.startsWith("--no-") && token.value === undefined && !declared.has(token.name);
      const name = negated ? token.rawName.slice(5) : token.name;
      if (negated && options.negatable?.includes(name)) {
        out[name] = false;
        continue;
      }
      let value: unknown = token.value;
      if (!declared.has(name) && options.unknown && options.unknown(token.rawName, name, value) === false) continue;
      if (booleans.has(name)) {
        value = value === undefined || value === "true";
      } else if (value === undefined) {
        // strict: false leaves "--flag value" of an undeclared flag as two tokens: join them as the original does
        const next = args[token.index + 1];
        const isValue = next !== undefined && (!next.startsWith("-") || /^-[\d.]/.test(next));
        if (isValue) taken.add(token.index + 1);
        value = isValue ? next : declared.has(name) ? "" : true;
      }
      if (collect.has(name)) out[name].push(value);
      else out[name] = value;
    }
  }
  return out;
}

/**
 * The command line of a stage: `--in.PORT PATH`, `--in.PORT.NAME PATH` for maps, `--out.PORT PATH`, `--PARAM VALUE`, and the
 * flags that every stage has. Hyphens in names count as underscores.
 * @module
 */
import type { z } from "zod";
import type { Stage } from "@/lib/data/contracts/stage.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { suggestion } from "./suggest.ts";
import { phraseOf } from "./zod_phrases.ts";

/** A stage's command line, checked. Paths are as they were given. */
export interface StageFlags {
  readonly help: boolean;
  readonly verbose: boolean;
  /** file of a task to run instead */
  readonly task?: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, string | readonly string[] | Readonly<Record<string, string>>>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly iteration: number;
  readonly threads: number;
  readonly device?: string;
  /** directory for the state from which an interrupted stage resumes */
  readonly scratch?: string;
}

const COMMON = ["help", "verbose", "seed", "iteration", "threads", "device", "scratch", "task"];

/**
 * Reads the flags of `stage`.
 * @throws {UsageError} listing unknown flags, missing ports, and invalid values of parameters
 */
export function readStageFlags(stage: Stage, args: readonly string[]): StageFlags {
  const flags = new FlagReader(stage, args);
  const help = flags.has("help"), isTask = flags.has("task");
  const result = { help, ...flags.read(!help && !isTask) };
  if (!help && !isTask && flags.problems.length > 0) {
    throw new UsageError(`Invalid flags for ${stage.id} (see --help): ${flags.problems.join("; ")}`);
  }
  return result;
}

class FlagReader {
  readonly problems: string[] = [];
  readonly #shape: Readonly<Record<string, z.ZodType>>;
  /** values of each flag, by its name without hyphens */
  readonly #given = new Map<string, string[]>();

  constructor(readonly stage: Stage, args: readonly string[]) {
    this.#shape = stage.params.shape as Readonly<Record<string, z.ZodType>>;
    this.#split(args);
  }

  has(name: string): boolean {
    return this.#given.has(name);
  }

  /** Returns the flags. @param isComplete whether missing and invalid ones are problems */
  read(isComplete: boolean): Omit<StageFlags, "help"> {
    const inputs: Record<string, string | string[] | Record<string, string>> = {};
    const outputs: Record<string, string> = {};
    const params: Record<string, unknown> = {};
    for (const [name, values] of this.#given) {
      const [prefix, port = "", key, ...more] = name.split(".");
      const input = prefix === "in" && more.length === 0 ? this.stage.inputs[port] : undefined;
      if (input?.many === "map" && key) {
        inputs[port] = { ...inputs[port] as object, [key]: this.#single(name) };
      } else if (input && input.many !== "map" && key === undefined) {
        inputs[port] = input.many === "list" ? values : this.#single(name);
      } else if (input) {
        this.problems.push(`--${name} must be --in.${port}${input.many === "map" ? ".NAME" : ""} PATH`);
      } else if (prefix === "out" && key === undefined && this.stage.outputs[port]) {
        outputs[port] = this.#single(name);
      } else if (this.#shape[name]) {
        params[name] = typeOf(this.#shape[name]) === "array"
          ? values.flatMap(items)
          : parameterValue(this.#single(name), this.#shape[name]);
      } else if (!COMMON.includes(name)) this.problems.push(this.#unknown(name));
    }
    if (isComplete) this.#checkComplete(params, inputs, outputs);
    return {
      verbose: this.#given.get("verbose")?.at(-1) === "true",
      ...(this.has("task") ? { task: this.#single("task") } : {}),
      ...(this.has("device") ? { device: this.#single("device") } : {}),
      ...(this.has("scratch") ? { scratch: this.#single("scratch") } : {}),
      params,
      inputs,
      outputs,
      seed: this.#whole("seed", 0, 0),
      iteration: this.#whole("iteration", 0, 0),
      threads: this.#whole("threads", 1, navigator.hardwareConcurrency),
    };
  }

  /** Splits the arguments into names and values. */
  #split(args: readonly string[]): void {
    for (let i = 0; i < args.length; i++) {
      const [, written, given] = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]!) ?? [];
      if (written === undefined) {
        if (args[i] === "-h") this.#given.set("help", ["true"]);
        else this.problems.push(`"${args[i]}" is not a flag`);
        continue;
      }
      let name = written.replaceAll("-", "_"), value = given;
      if (name.startsWith("no_") && this.#isSwitch(name.slice(3))) [name, value] = [name.slice(3), "false"];
      const next = args[i + 1];
      if (value === undefined && this.#isSwitch(name)) {
        value = next === "true" || next === "false" ? args[++i]! : "true";
      } else if (value === undefined && next !== undefined && !next.startsWith("--")) value = args[++i]!;
      if (value === undefined) this.problems.push(`--${name} requires a value`);
      else this.#given.set(name, [...this.#given.get(name) ?? [], value]);
    }
  }

  #isSwitch(name: string): boolean {
    return name === "help" || name === "verbose" || typeOf(this.#shape[name]) === "boolean";
  }

  #single(name: string): string {
    const values = this.#given.get(name)!;
    if (values.length > 1) this.problems.push(`--${name} must be given once, got ${values.length} times`);
    return values[0]!;
  }

  #whole(name: string, least: number, standard: number): number {
    if (!this.has(name)) return standard;
    const text = this.#single(name), number = Number(text);
    if (!Number.isSafeInteger(number) || number < least) {
      this.problems.push(`--${name} must be a whole number ≥ ${least}, got ${text}`);
    }
    return number;
  }

  #unknown(name: string): string {
    const { renamed = {}, inputs, outputs } = this.stage;
    if (Object.hasOwn(renamed, name)) return `unknown flag --${name}: it is now --${renamed[name]}`;
    const ports = [
      ...Object.keys(inputs).map((port) => `in.${port}`),
      ...Object.keys(outputs).map((port) => `out.${port}`),
    ];
    return `unknown flag --${name}${suggestion(name, [...COMMON, ...Object.keys(this.#shape), ...ports])}`;
  }

  #checkComplete(params: StageFlags["params"], inputs: StageFlags["inputs"], outputs: StageFlags["outputs"]) {
    const missing = [
      ...Object.entries(this.stage.inputs).filter(([port, p]) => !p.optional && inputs[port] === undefined)
        .map(([port, p]) => `--in.${port}${p.many === "map" ? ".NAME" : ""}`),
      ...Object.entries(this.stage.outputs).filter(([port, p]) => !p.optional && outputs[port] === undefined)
        .map(([port]) => `--out.${port}`),
    ];
    if (missing.length > 0) this.problems.push(`missing ${missing.join(", ")}`);
    const { error } = this.stage.params.safeParse(params, { reportInput: true });
    for (const issue of error?.issues ?? []) {
      this.problems.push(`--${issue.path.join(".")} ${phraseOf(issue)}`);
    }
  }
}

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

/** Returns `text` as the parameter's type requires: a string if it accepts one, else a number or JSON. */
function parameterValue(text: string, schema: z.ZodType): unknown {
  if (schema.safeParse(text).success) return text;
  return NUMBER.test(text) ? Number(text) : jsonOr(text, text);
}

/** Returns the items of a JSON list, or those between commas. */
function items(text: string): unknown[] {
  const list = text.trim().startsWith("[") ? jsonOr(text, undefined) : undefined;
  if (Array.isArray(list)) return list;
  return text.split(",").map((item) => NUMBER.test(item) ? Number(item) : item);
}

function jsonOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** The part of a zod schema that this file reads. */
interface Definition {
  readonly def?: { readonly type?: string; readonly innerType?: Definition };
}

/** Returns the kind of a schema without its default and other wrappers. */
function typeOf(schema: z.ZodType | undefined): string | undefined {
  let inner = schema as Definition | undefined;
  while (inner?.def?.innerType !== undefined) inner = inner.def.innerType;
  return inner?.def?.type;
}

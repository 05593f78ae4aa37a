/**
 * The command line of a stage: `--in.PORT PATH`, `--in.PORT.NAME PATH` for maps, `--out.PORT PATH`, `--PARAM VALUE`, and the
 * flags that every stage has. A hyphen in a name is taken for an underscore.
 * @module
 */
import type { z } from "zod";
import type { Stage } from "@/lib/contracts/stage.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
import { suggestion } from "./suggest.ts";
import { phraseOf } from "./zod_phrases.ts";

/** A stage's command line, checked. Paths are as they were given. */
export interface StageFlags {
  readonly help: boolean;
  readonly verbose: boolean;
  /** a frozen task to run instead */
  readonly task?: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, string | string[] | Record<string, string>>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly iteration: number;
  readonly threads: number;
  /** where a stopped run finds what it needs to go on */
  readonly scratch?: string;
}

const COMMON = ["help", "verbose", "seed", "iteration", "threads", "scratch", "task"];

/**
 * Reads the flags of `stage`.
 * @throws {UsageError} listing unknown flags, ports that are missing, and values that parameters refuse
 */
export function readStageFlags(stage: Stage, args: readonly string[]): StageFlags {
  const problems: string[] = [];
  const given = new Map<string, string[]>();
  const shape = stage.params.shape as Readonly<Record<string, z.ZodType>>;
  for (let i = 0; i < args.length; i++) {
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]!);
    if (!match) {
      problems.push(args[i] === "-h" ? "" : `"${args[i]}" is not a flag`);
      if (args[i] === "-h") given.set("help", ["true"]);
      continue;
    }
    let [, name, value] = match as unknown as [string, string, string | undefined];
    name = name.replaceAll("-", "_");
    if (name.startsWith("no_") && isBoolean(shape[name.slice(3)])) [name, value] = [name.slice(3), "false"];
    const isSwitch = name === "help" || name === "verbose" || isBoolean(shape[name]);
    const next = args[i + 1];
    if (value === undefined && isSwitch) value = next === "true" || next === "false" ? args[++i]! : "true";
    else if (value === undefined && next !== undefined && !next.startsWith("--")) value = args[++i]!;
    if (value === undefined) problems.push(`--${name} needs a value`);
    else given.set(name, [...given.get(name) ?? [], value]);
  }
  const help = given.has("help");
  const flags = collect(stage, given, help, problems);
  const real = problems.filter((problem) => problem !== "");
  if (!help && real.length > 0) {
    throw new UsageError(
      `Cannot run ${stage.id} as its flags must be right (see --help): ${real.join("; ")}`,
    );
  }
  return flags;
}

function collect(
  stage: Stage,
  given: ReadonlyMap<string, readonly string[]>,
  help: boolean,
  problems: string[],
): StageFlags {
  const shape = stage.params.shape as Readonly<Record<string, z.ZodType>>;
  const inputs: Record<string, string | string[] | Record<string, string>> = {};
  const outputs: Record<string, string> = {};
  const params: Record<string, unknown> = {};
  const single = (name: string, values: readonly string[]) => {
    if (values.length > 1) problems.push(`--${name} must be given once: it is given ${values.length} times`);
    return values[0]!;
  };
  const known = [
    ...COMMON,
    ...Object.keys(shape),
    ...Object.keys(stage.inputs).map((port) => `in.${port}`),
    ...Object.keys(stage.outputs).map((port) => `out.${port}`),
  ];
  for (const [name, values] of given) {
    const [prefix, port, key, ...more] = name.split(".");
    const input = prefix === "in" && more.length === 0 ? stage.inputs[port ?? ""] : undefined;
    if (input?.many === "map" && key) {
      inputs[port!] = { ...inputs[port!] as object, [key]: single(name, values) };
    } else if (input && input.many !== "map" && key === undefined) {
      inputs[port!] = input.many === "list" ? [...values] : single(name, values);
    } else if (input) {
      problems.push(
        input.many === "map"
          ? `--${name} must be --in.${port}.NAME PATH`
          : `--${name} must be --in.${port} PATH`,
      );
    } else if (prefix === "out" && key === undefined && stage.outputs[port ?? ""]) {
      outputs[port!] = single(name, values);
    } else if (shape[name]) {
      params[name] = isArray(shape[name])
        ? values.flatMap(items)
        : parseValue(single(name, values), shape[name]);
    } else if (!COMMON.includes(name)) problems.push(`there is no flag --${name}${suggestion(name, known)}`);
  }
  if (given.has("task")) problems.length = 0;
  else if (!help) {
    const missing = [
      ...Object.entries(stage.inputs).filter(([port, p]) => !p.optional && inputs[port] === undefined)
        .map(([port, p]) => p.many === "map" ? `--in.${port}.NAME` : `--in.${port}`),
      ...Object.entries(stage.outputs).filter(([port, p]) => !p.optional && outputs[port] === undefined)
        .map(([port]) => `--out.${port}`),
    ];
    if (missing.length > 0) problems.push(`${missing.join(", ")} must be given`);
    const parsed = stage.params.safeParse(params);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) problems.push(`--${issue.path.join(".")} ${phraseOf(issue)}`);
    }
  }
  const whole = (name: string, least: number, standard: number): number => {
    const values = given.get(name);
    if (!values) return standard;
    const number = Number(single(name, values));
    if (!Number.isSafeInteger(number) || number < least) {
      problems.push(`--${name} must be a whole number from ${least}: it is ${values[0]}`);
    }
    return number;
  };
  return {
    help,
    verbose: given.get("verbose")?.at(-1) === "true",
    ...(given.has("task") ? { task: given.get("task")![0]! } : {}),
    ...(given.has("scratch") ? { scratch: single("scratch", given.get("scratch")!) } : {}),
    params,
    inputs,
    outputs,
    seed: whole("seed", 0, 0),
    iteration: whole("iteration", 0, 0),
    threads: whole("threads", 1, navigator.hardwareConcurrency),
  };
}

/** `text` as the parameter's type takes it: text stays text, anything else is read as JSON. */
function parseValue(text: string, schema: z.ZodType): unknown {
  const asText = schema.safeParse(text);
  if (asText.success) return text;
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number(text);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function items(text: string): unknown[] {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) {
    try {
      const value: unknown = JSON.parse(trimmed);
      if (Array.isArray(value)) return value;
    } catch {
      // Not JSON after all: words between commas.
    }
  }
  return text.split(",").map((item) =>
    /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(item) ? Number(item) : item
  );
}

/** What zod keeps of a schema that this file looks at. */
interface Definition {
  readonly def?: { readonly type?: string; readonly innerType?: Definition };
}

function isBoolean(schema: z.ZodType | undefined): boolean {
  return typeOf(schema) === "boolean";
}

function isArray(schema: z.ZodType | undefined): boolean {
  return typeOf(schema) === "array";
}

/** The kind of a schema without its default and other wrappers. */
function typeOf(schema: z.ZodType | undefined): string | undefined {
  let inner = schema as Definition | undefined;
  while (inner?.def?.innerType !== undefined) inner = inner.def.innerType;
  return inner?.def?.type;
}

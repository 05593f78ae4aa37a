/**
 * Checks a device's kernels: each equation that this program's models lower, alone, on the device and on the processor. A
 * kernel that is wrong gives no error: training would go wrong silently.
 * @module
 */
import { PRIMITIVES } from "@/lib/compute/autodiff/primitives/all_primitives.ts";
import { lower, Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import { HOST, type Place } from "@/lib/compute/ort/place.ts";
import { Session } from "@/lib/compute/ort/session.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import { type HostTensor, hostTensor } from "@/lib/compute/tensor/tensor.ts";

/** Largest distance from the processor's numbers, relative to the largest of them. */
const TOLERANCE = 1e-4;

/** A primitive that a device computes wrongly, or not at all. */
export interface WrongKernel {
  /** name of the primitive */
  readonly name: string;
  /** the equation that shows it: primitive, parameters, types of the inputs */
  readonly equation: string;
  /** what was found */
  readonly problem: string;
}

/** Returns the equations that the goldens of all model families lower, one text each; see lowered_equations.ts. */
export function goldenEquations(): string[] {
  return Deno.readTextFileSync(new URL("equations.txt", import.meta.url)).trimEnd().split("\n");
}

/**
 * Returns the primitives that the device computes wrongly, each with its first equation.
 * @param onProgress called before each equation with the number of those before it
 */
export function wrongKernels(
  place: Place,
  equations: readonly string[],
  onProgress: (done: number) => void = () => {},
): WrongKernel[] {
  const wrong = new Map<string, WrongKernel>();
  equations.forEach((equation, i) => {
    onProgress(i);
    const { name } = parsed(equation), problem = wrong.has(name) ? undefined : problemOf(place, equation);
    if (problem !== undefined) wrong.set(name, { name, equation, problem });
  });
  return [...wrong.values()];
}

interface ParsedEquation {
  readonly name: keyof typeof PRIMITIVES;
  readonly params: object;
  readonly types: readonly { readonly dtype: DType; readonly shape: readonly number[] }[];
}

function parsed(equation: string): ParsedEquation {
  const [, name, params, types] = /^(\w+) (\{.*\})((?: \w+\[[\d,]*\])*)$/.exec(equation)!;
  return {
    name: name as keyof typeof PRIMITIVES,
    params: JSON.parse(params!),
    types: types!.trim().split(" ").map((type) => {
      const [, dtype, sizes] = /^(\w+)\[(.*)\]$/.exec(type)!;
      return { dtype: dtype as DType, shape: sizes === "" ? [] : sizes!.split(",").map(Number) };
    }),
  };
}

function problemOf(place: Place, equation: string): string | undefined {
  const { name, params, types } = parsed(equation), trace = new Trace();
  const inputs = types.map(({ dtype, shape }, i) => trace.input(`x${i}`, dtype, shape));
  const outputs = trace.bind(PRIMITIVES[name] as Parameters<Trace["bind"]>[0], inputs, params);
  const tensors = inputs.map((input, i) => exampleOf(name, input, i, types));
  const wanted = evaluate(HOST, inputs, outputs, tensors);
  try {
    const found = evaluate(place, inputs, outputs, tensors);
    for (const [i, { data, shape }] of wanted.entries()) {
      const isSkipped = (element: number) => isUndefined(name, i, shape, element);
      const problem = difference(found[i]!.data, data, isSkipped);
      if (problem !== undefined) return `output ${i}${problem}`;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

function evaluate(
  place: Place,
  inputs: readonly Value[],
  outputs: readonly Value[],
  tensors: readonly HostTensor[],
): HostTensor[] {
  const named = Object.fromEntries(outputs.map((value, i) => [`out${i}`, value]));
  const graph = lower({ name: "equation", inputs, outputs: named }, place);
  using session = new Session(encodeModel(graph), { place });
  const used = new Set(graph.inputs.map((input) => input.name));
  const given = inputs.map((input, i) => [input.name, new TensorValue(tensors[i]!)] as const);
  const results = outputs.map(({ dtype, shape }, i) => [`out${i}`, TensorValue.zeros(dtype, shape)] as const);
  session.run(Object.fromEntries(given.filter(([name]) => used.has(name))), Object.fromEntries(results));
  return results.map(([, { dtype, shape, data }]) => ({ dtype, shape, data }));
}

function difference(
  found: ArrayLike<number | bigint>,
  wanted: ArrayLike<number | bigint>,
  isSkipped: (element: number) => boolean,
): string | undefined {
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(Number(wanted[i])));
  for (let i = 0; i < wanted.length; i++) {
    const distance = Math.abs(Number(found[i]) - Number(wanted[i]));
    if (!(distance <= TOLERANCE * (largest || 1)) && !isSkipped(i)) {
      return `[${i}] is ${found[i]}, on the processor ${wanted[i]}`;
    }
  }
  return undefined;
}

/** Primitives whose operands must be positive. */
const POSITIVE: ReadonlySet<string> = new Set(["sqrt", "log", "div", "drawTokens"]);

/** Returns numbers that an input may have: indices within their table, and different ones where rows are written. */
function exampleOf(
  name: string,
  { dtype, shape }: Value,
  input: number,
  types: ParsedEquation["types"],
): HostTensor {
  const tensor = hostTensor(dtype, shape), key = makeKey(1, name, input);
  const limit = indexLimit(name, types), isUnique = name === "addToRows" || name === "replaceRows";
  for (let i = 0; i < tensor.data.length; i++) {
    const u = uniform(key, i);
    if (dtype === "i64") tensor.data[i] = BigInt(isUnique ? i : Math.floor(u * limit)) as never;
    else if (dtype === "i32") {
      tensor.data[i] = (name === "groupQueryAttention" && input === 6 ? limit : POSITION) as never;
    } else tensor.data[i] = (POSITIVE.has(name) ? 0.1 + 0.8 * u : 2 * u - 1) as never;
  }
  return tensor;
}

/** Position of the token in the example of groupQueryAttention. */
const POSITION = 3;

/** Returns whether an element of an output is undefined: a cache beyond its token, which kernels need not write. */
function isUndefined(name: string, output: number, shape: readonly number[], element: number): boolean {
  if (name !== "groupQueryAttention" || output === 0) return false;
  const [, , positions, headDim] = shape as [number, number, number, number];
  return Math.floor(element / headDim) % positions > POSITION;
}

/** Returns the number of rows, columns or positions that the integers of a primitive count. */
function indexLimit(name: string, [first, second, third, fourth]: ParsedEquation["types"]): number {
  switch (name) {
    case "gatherRows":
      return first!.shape[0]!;
    case "rope":
      return third!.shape[0]!;
    case "takeAlongLast":
    case "scatterAddLast":
    case "tokenLogprob":
      return first!.shape.at(-1)!;
    case "groupQueryAttention":
      return fourth!.shape[2]!;
    default:
      return second ? 4 : 2;
  }
}

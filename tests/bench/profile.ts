/** Reads profiles of ONNX Runtime and finds the most expensive operators. @module */
import { join } from "node:path";

/** Time of one operator on inputs of one shape. */
export interface ProfileLine {
  readonly operator: string;
  /** `f32[2,64] · f32[64,64]` */
  readonly inputs: string;
  readonly count: number;
  readonly ms: number;
  /** fraction of the time of all operators */
  readonly share: number;
}

/** The used fields of an event of a profile. */
interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** microseconds */
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Record<string, number[]>[];
  };
}

/** Returns the `most` most expensive combinations of operator and shapes in the profiles (*.json) of `directory`. */
export function readProfiles(directory: string, most: number): ProfileLine[] {
  const found = new Map<string, { operator: string; inputs: string; count: number; ms: number }>();
  let total = 0;
  for (const { name } of Deno.readDirSync(directory)) {
    if (!name.endsWith(".json")) continue;
    const events = JSON.parse(Deno.readTextFileSync(join(directory, name))) as readonly ProfileEvent[];
    for (const { cat, name, dur, args } of events) {
      if (cat !== "Node" || !name.endsWith("_kernel_time")) continue;
      const operator = args?.op_name ?? "unknown", inputs = spellInputs(args?.input_type_shape ?? []);
      const key = `${operator} ${inputs}`, ms = dur / 1000;
      const line = found.get(key) ?? { operator, inputs, count: 0, ms: 0 };
      found.set(key, { ...line, count: line.count + 1, ms: line.ms + ms });
      total += ms;
    }
  }
  return [...found.values()].sort((a, b) => b.ms - a.ms).slice(0, most)
    .map((line) => ({ ...line, share: line.ms / total }));
}

function spellInputs(inputs: readonly Readonly<Record<string, readonly number[]>>[]): string {
  return inputs.flatMap((input) =>
    Object.entries(input).map(([type, shape]) =>
      `${type.replace("float", "f32").replace("int64", "i64")}[${shape}]`
    )
  ).join(" ");
}

/** Returns one line per combination. */
export function renderProfile(lines: readonly ProfileLine[]): string {
  return lines.map(({ operator, inputs, count, ms, share }) =>
    `${`${(share * 100).toFixed(1)} %`.padStart(7)} ${ms.toFixed(1).padStart(9)} ms ${
      String(count).padStart(6)
    } ×  ${operator} ${inputs}`
  ).join("\n");
}

/**
 * How long a checkpoint takes to load and how much memory that takes beside its weights: random weights of a llama's
 * shape are written as bfloat16, and a process of their own loads them.
 * @module
 */
import { join } from "node:path";
import { writeSafetensors } from "@/lib/files/safetensors.ts";
import { type Model, parametersOf } from "@/lib/models/model.ts";
import { hostTensor, sizeOf } from "@/lib/tensor/tensor.ts";
import { UnavailableError } from "@/lib/tensor/errors.ts";
import { permissionFlags } from "../relaunch.ts";
import { projectRoot } from "../project_root.ts";
import { benchModel, type BenchShape, SHAPES } from "./shapes.ts";

/** What loading a checkpoint took. */
export interface LoadFigures {
  readonly shape: string;
  readonly parameters: number;
  readonly seconds: number;
  /** most that the process held, with Deno itself */
  readonly peak_bytes: number;
  /** what it held before it began */
  readonly start_bytes: number;
  /** the weights as they are held, f32 */
  readonly weight_bytes: number;
}

/** Shapes whose loading is measured; `500m` has the sizes of Qwen2.5-0.5B. */
export const LOAD_SHAPES: Readonly<Record<string, BenchShape>> = {
  "135m": SHAPES["135m"],
  "500m": { vocab: 151936, width: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, batch: 1, length: 64 },
};

/** Writes config.json and random weights as bfloat16, of either sign and a size between 2⁻⁷ and 2⁻⁵. */
export function writeRandomCheckpoint(directory: string, model: Model): void {
  let state = 1;
  const tensors = parametersOf(model).map(({ name, shape }) => {
    const data = new Uint16Array(sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      data[i] = 0x3c00 | (state >>> 16 & 0x80ff);
    }
    return { name, tensor: hostTensor("bf16", shape, data) };
  });
  Deno.writeTextFileSync(join(directory, "config.json"), JSON.stringify(model.config));
  writeSafetensors(join(directory, "model.safetensors"), tensors, { format: "pt" });
}

/**
 * Writes a checkpoint of `shape` below `runs/` and measures its loading.
 * @throws {UnavailableError} if the process that loads fails; it has said why
 */
export async function benchLoad(name: string, shape: BenchShape): Promise<LoadFigures> {
  const parent = join(projectRoot, "runs");
  Deno.mkdirSync(parent, { recursive: true });
  const directory = Deno.makeTempDirSync({ dir: parent, prefix: "bench-" });
  try {
    const model = benchModel(shape, 64);
    writeRandomCheckpoint(directory, model);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--cached-only", ...permissionFlags({ read: [projectRoot], write: [], run: ["cat"] })],
        new URL("load_program.ts", import.meta.url).href,
        directory,
      ],
      stdin: "null",
      stderr: "inherit",
    }).output();
    if (code !== 0) {
      throw new UnavailableError(`Cannot measure as the process that loads must end well: exit code ${code}`);
    }
    const parameters = parametersOf(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const figures = JSON.parse(new TextDecoder().decode(stdout)) as Pick<
      LoadFigures,
      "seconds" | "peak_bytes" | "start_bytes"
    >;
    return { shape: name, parameters, weight_bytes: 4 * parameters, ...figures };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

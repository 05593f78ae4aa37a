/**
 * Time and memory of loading a checkpoint: random weights of a llama are written as bfloat16, and a separate process loads
 * them.
 * @module
 */
import { join } from "node:path";
import { writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { type Model, parametersOf } from "@/lib/model/models/model.ts";
import { hostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { runDeno } from "@/lib/app/relaunch.ts";
import { benchModel, type BenchShape, SHAPES } from "./shapes.ts";
import { inTemporaryDirectory } from "./temporary_directory.ts";

/** Time and memory of loading a checkpoint. */
export interface LoadResult {
  readonly shape: string;
  readonly parameters: number;
  readonly seconds: number;
  /** peak memory of the process, Deno included */
  readonly peak_bytes: number;
  /** memory of the process before loading */
  readonly start_bytes: number;
  /** size of the weights in memory, f32 */
  readonly weight_bytes: number;
}

/** Shapes whose loading is measured; `500m` has the sizes of Qwen2.5-0.5B. */
export const LOAD_SHAPES: Readonly<Record<string, BenchShape>> = {
  "135m": SHAPES["135m"],
  "500m": { vocab: 151936, width: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, batch: 1, length: 64 },
};

/** Writes config.json and random bfloat16 weights of both signs, with absolute values between 2⁻⁷ and 2⁻⁵. */
function writeRandomCheckpoint(directory: string, model: Model): void {
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
 * @throws {UnavailableError} if the process that loads it fails; it has printed why
 */
export async function benchLoad(name: string, shape: BenchShape): Promise<LoadResult> {
  return await inTemporaryDirectory(async (directory) => {
    const model = benchModel(shape, 64);
    writeRandomCheckpoint(directory, model);
    const module = new URL("load_program.ts", import.meta.url);
    const { code, output } = await runDeno(module, [directory], {
      read: [projectRoot],
      write: [],
      run: ["cat"],
    });
    if (code !== 0) throw new UnavailableError(`Loading the checkpoint failed with exit code ${code}`);
    const parameters = parametersOf(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const measured: Pick<LoadResult, "seconds" | "peak_bytes" | "start_bytes"> = JSON.parse(output);
    return { shape: name, parameters, weight_bytes: 4 * parameters, ...measured };
  });
}

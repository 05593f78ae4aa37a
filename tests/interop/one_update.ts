/**
 * One SFT update from a checkpoint of any family, in full or half precision, by `deno task stage sft`.
 * @module
 */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { params } from "@/stages/sft/params.ts";
import { FAMILY_GOLDENS } from "@/tests/support/golden_families.ts";

/** Goldens that are trained: every family, and llama from bfloat16 and float16. */
export const TRAINED: readonly string[] = [...FAMILY_GOLDENS, "llama_bf16", "llama_f16"];

/** What torch needs to compute the same update. */
export interface UpdateCase {
  readonly name: string;
  readonly source: string;
  readonly policy: string;
  /** ids and loss mask of every row */
  readonly rows: readonly (readonly [ids: readonly number[], mask: readonly number[]])[];
  readonly options: Readonly<Record<string, unknown>>;
  /** the stage's metrics: loss, grad_norm, lr */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Trains the golden family `name` in `directory`, which must not exist.
 * @param run runs `deno task stage` with arguments
 */
export async function trainOnce(
  name: string,
  directory: string,
  run: (args: readonly string[]) => Promise<void>,
): Promise<UpdateCase> {
  const source = join(directory, "source");
  Deno.mkdirSync(source, { recursive: true });
  const golden = join(projectRoot, "fixtures/goldens/families", name);
  for (const file of ["config.json", "model.safetensors"]) {
    Deno.copyFileSync(join(golden, file), join(source, file));
  }
  // Any tokenizer: the rows are ids, and the stage only checks that their digest is that of the model's tokenizer.
  const tokenizer = join(projectRoot, "fixtures/stories260k/tokenizer.json");
  Deno.copyFileSync(tokenizer, join(source, "tokenizer.json"));

  const rows = [5, 19, 11, 30].map((length, r): [number[], number[]] => [
    Array.from({ length }, (_, t) => (1 + 7 * r + 13 * t + t * t) % 96),
    Array.from({ length }, (_, t) => t > 2 + r ? 1 : 0),
  ]);
  const tokens = join(directory, "tokens.arrow");
  await writeTokens(tokens, {
    rows: rows.map(([ids, mask], r) => ({
      id: `${r}`,
      inputIds: Int32Array.from(ids),
      lossMask: Uint8Array.from(mask),
      source: "interop",
    })),
    tokenizerDigest: tokenizerDigest(source),
  });
  const at = (output: string) => join(directory, output);
  await run([
    ...["sft", "--in.tokens", tokens, "--in.model", source, "--max_updates", "1", "--lr", "1e-3"],
    ...["--out.policy", at("policy"), "--out.metrics", at("metrics.arrow")],
  ]);
  const metrics = readMetrics(at("metrics.arrow")).filter(({ step }) => step === 0);
  return {
    name,
    source,
    policy: at("policy"),
    rows,
    options: params.parse({}),
    metrics: Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  };
}

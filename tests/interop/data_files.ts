/**
 * Arrow files and safetensors against PyPI's pyarrow and safetensors, in both directions:
 *
 *     deno run --allow-read --allow-write=DIR --allow-run=PYTHON tests/interop/data_files.ts PYTHON DIR
 *
 * PYTHON is an interpreter with pyarrow, safetensors and numpy; DIR an empty directory. Prints one line per check and ends
 * at the first that fails.
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { decodeArrow } from "@/lib/data/arrow/decode_arrow.ts";
import type { TableSchema } from "@/lib/data/arrow/column_schema.ts";
import { writeDifferences } from "@/lib/data/contracts/differences.ts";
import { writeEvals } from "@/lib/data/contracts/evals.ts";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { writePairs } from "@/lib/data/contracts/pairs.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { readRollouts, type RolloutRow, writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { writeSamples } from "@/lib/data/contracts/samples.ts";
import { writeScored } from "@/lib/data/contracts/scored.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";

/** Rows of every file: three batches. */
const ROWS = 5000;
const DIGEST = "d".repeat(64);

/** The columns of every contract, written out again, so that a change of one is noticed. */
const ROLLOUTS = {
  id: "utf8",
  prompt_id: "utf8",
  sample: "i32",
  prompt_ids: "list<i32>",
  response_ids: "list<i32>",
  logprobs: "list<f32>",
  logprobs_t1: "list<f32>?",
  finish_reason: "utf8",
  meta: "utf8",
} as const;
const SCHEMAS: Readonly<Record<string, TableSchema>> = {
  tokens: { id: "utf8", input_ids: "list<i32>", loss_mask: "list<u8>", source: "utf8" },
  prompts: { id: "utf8", prompt_ids: "list<i32>", meta: "utf8" },
  rollouts: ROLLOUTS,
  scored: {
    ...ROLLOUTS,
    sft_logprobs: "list<f32>",
    target_logprobs: "list<f32>",
    base_logprobs: "list<f32>",
    token_rewards: "list<f32>",
    raw_reward: "f64",
    reward: "f64",
    base_nll: "f64?",
  },
  pairs: { prompt_ids: "list<i32>", chosen_ids: "list<i32>", rejected_ids: "list<i32>" },
  evals: { model: "utf8", mode: "utf8", metric: "utf8", mean: "f64", stderr: "f64", n: "i64" },
  differences: {
    model: "utf8",
    against: "utf8",
    mode: "utf8",
    metric: "utf8",
    mean: "f64",
    low: "f64?",
    high: "f64?",
    n: "i64",
    method: "utf8",
  },
  metrics: { step: "i64", name: "utf8", value: "f64" },
  samples: {
    model: "utf8",
    mode: "utf8",
    prompt_id: "utf8",
    prompt: "utf8",
    response: "utf8",
    finish_reason: "utf8",
    scores: "utf8",
  },
};

/** Returns `length` consecutive ids. */
function ids(length: number, first: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => first + i);
}
/** Returns `length` multiples of 1/8, which JSON writes exactly. */
function eighths(length: number, first: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => -(first + i) / 8);
}

function each<T>(make: (i: number) => T): T[] {
  return Array.from({ length: ROWS }, (_, i) => make(i));
}

async function writeContracts(directory: string): Promise<void> {
  const path = (name: string) => join(directory, `${name}.arrow`);
  const rollouts = each((i): RolloutRow => ({
    id: `p${i >> 2}/${i & 3}`,
    promptId: `p${i >> 2}`,
    sample: i & 3,
    promptIds: ids(1 + i % 5, i),
    responseIds: ids(i % 7, i),
    logprobs: eighths(i % 7, i),
    logprobsT1: i % 3 === 0 ? null : eighths(i % 7, 1),
    finishReason: (["eos", "length", "stop"] as const)[i % 3]!,
    meta: `{"n":${i},"text":"é😀"}`,
  }));
  const scored = rollouts.map((row, i) => ({
    ...row,
    sftLogprobs: row.logprobs,
    targetLogprobs: row.logprobs,
    baseLogprobs: row.logprobs,
    tokenRewards: row.logprobs,
    rawReward: i / 8,
    reward: -i / 8,
    baseNll: i % 2 === 0 ? null : i / 8,
  }));
  const tokens = each((i) => ({
    id: `${i}`,
    inputIds: ids(1 + i % 9, 0),
    lossMask: new Uint8Array(1 + i % 9).fill(1),
    source: `demos:${i}`,
  }));
  await writeTokens(path("tokens"), { rows: tokens, tokenizerDigest: DIGEST });
  const prompts = each((i) => ({ id: `p${i}`, promptIds: ids(1 + i % 5, i), meta: "{}" }));
  await writePrompts(path("prompts"), { rows: prompts, tokenizerDigest: DIGEST });
  await writeRollouts(path("rollouts"), { rows: rollouts, tokenizerDigest: DIGEST });
  await writeScored(path("scored"), { rows: scored, tokenizerDigest: DIGEST });
  const pairs = each((i) => ({ promptIds: ids(1, i), chosenIds: ids(2, i), rejectedIds: ids(3, i) }));
  await writePairs(path("pairs"), { rows: pairs, tokenizerDigest: DIGEST });
  const evals = each((i) => ({
    model: "m",
    mode: "greedy" as const,
    metric: `x${i}`,
    mean: -i / 8,
    stderr: i / 8,
    n: 2 ** 40 + i,
  }));
  await writeEvals(path("evals"), evals);
  const differences = each((i) => ({
    model: "m",
    against: "o",
    mode: "greedy" as const,
    metric: `x${i}`,
    mean: i / 8,
    low: i % 3 === 0 ? null : i / 8 - 1,
    high: i % 3 === 0 ? null : i / 8 + 1,
    n: i,
    method: "paired" as const,
  }));
  await writeDifferences(path("differences"), differences);
  await writeMetrics(path("metrics"), each((i) => ({ step: i, name: "loss", value: i / 8 })));
  const samples = each((i) => ({
    model: "m",
    mode: "sampled" as const,
    promptId: `p${i}`,
    prompt: "Once\nupon",
    response: "",
    finishReason: "eos" as const,
    scores: "{}",
  }));
  await writeSamples(path("samples"), samples);
  const expected = Object.entries(SCHEMAS).map(([name, schema]) => {
    const { columns } = decodeArrow(Deno.readFileSync(path(name)), schema, path(name));
    return [name, { schema, columns }];
  });
  const text = JSON.stringify(
    Object.fromEntries(expected),
    (_, value) => ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value,
  );
  Deno.writeTextFileSync(join(directory, "contracts.json"), text);
}

/** Without bf16, a type that numpy does not have. */
const TENSORS: readonly [DType, string, ReturnType<typeof hostTensor>][] = [
  ["f64", "float64", hostTensor("f64", [2], Float64Array.of(0.5, -1e300))],
  ["f32", "float32", hostTensor("f32", [2, 2], Float32Array.of(1, 2, 3, -0.125))],
  ["f16", "float16", hostTensor("f16", [2], Uint16Array.of(0x3c00, 0xc000))],
  ["i64", "int64", hostTensor("i64", [1], BigInt64Array.of(-5n))],
  ["i32", "int32", hostTensor("i32", [], Int32Array.of(7))],
  ["u8", "uint8", hostTensor("u8", [3], Uint8Array.of(1, 2, 255))],
  ["bool", "bool", hostTensor("bool", [2], Uint8Array.of(1, 0))],
];

function writeTensors(directory: string): void {
  const tensors = TENSORS.map(([name, , tensor]) => ({ name, tensor }));
  writeSafetensors(join(directory, "ours.safetensors"), tensors, { format: "pt" });
  const expected = TENSORS.map(([name, dtype, { shape, data }]) => {
    const values = name === "f16"
      ? [1, -2]
      : name === "bool"
      ? [true, false]
      : Array.from(data as Float64Array, Number);
    return [name, { dtype, shape, data: values }];
  });
  Deno.writeTextFileSync(join(directory, "tensors.json"), JSON.stringify(Object.fromEntries(expected)));
}

/** Checks that Python's files have equal content here, and that our writer gives the bytes of its safetensors file. */
function readBack(directory: string): void {
  assertEquals(
    readRollouts(join(directory, "pyarrow.arrow")),
    readRollouts(join(directory, "rollouts.arrow")),
  );
  console.log("ok      we read rollouts@1 as pyarrow writes it");
  const path = join(directory, "python.safetensors");
  using file = openSafetensors(path);
  const copy = join(directory, "copy.safetensors");
  writeSafetensors(copy, file.names.map((name) => ({ name, tensor: file.read(name) })), file.metadata);
  assertEquals(Deno.readFileSync(copy), Deno.readFileSync(path));
  console.log("ok      our safetensors writer gives the bytes of Python's");
}

if (import.meta.main) {
  const [python, directory] = Deno.args;
  if (python === undefined || directory === undefined) {
    console.error("Usage: data_files.ts PYTHON DIR");
    Deno.exit(64);
  }
  await writeContracts(directory);
  writeTensors(directory);
  const script = join(import.meta.dirname!, "data_files.py");
  const { code } = new Deno.Command(python, {
    args: [script, directory],
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (code !== 0) Deno.exit(1);
  readBack(directory);
}

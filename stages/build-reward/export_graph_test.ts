/** Tests the exported graph, run by onnxruntime-node's own JavaScript API, against the reward itself. @module */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { type RewardManifest, writeReward } from "@/lib/data/contracts/reward_directory.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { loadFrozenModel, loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { backward, Trace } from "@/lib/compute/autodiff/mod.ts";
import { FAMILY_GOLDENS } from "@/tests/support/golden_families.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { writeRewardGraph } from "./export_graph.ts";
import { ofOwnTokens } from "./token_shapes.ts";

const FAMILIES = "fixtures/goldens/families";

/** An adapter on a golden model that changes nothing yet. */
function adapterOn(baseDirectory: string) {
  const { config } = loadModel("fixtures/goldens/lora/adapter").model.adapter!;
  const base = loadFrozenModel(baseDirectory);
  return newAdapter(base, { ...config, targets: "all-linear", transposed: null }, { baseDirectory, seed: 1 });
}

/** A reward directory of `members` noisy relatives of a golden model, or adapters on it. */
function makeReward(
  directory: string,
  family: string,
  given: Partial<RewardManifest> = {},
  members = 2,
  adapters = false,
  hasBaseline = false,
): RewardModel {
  const place = (name: string, std: number) => {
    const source = `${FAMILIES}/${family}`;
    const { model, parameters } = adapters && std > 0 ? adapterOn(source) : loadModel(source);
    const noise = new Float32Array(parameters.data.length);
    fillNormal(noise, makeKey(1, name), { std });
    for (let i = 0; i < noise.length; i++) parameters.data[i]! += noise[i]!;
    Deno.mkdirSync(join(directory, name), { recursive: true });
    writeModel(join(directory, name), { model, parameters });
    return { path: name, digest: digestDirectory(join(directory, name)).digest };
  };
  const manifest: RewardManifest = {
    members: Array.from({ length: members }, (_, i) => place(`members/${i}`, 0.05)),
    base: place("base", 0),
    ...hasBaseline ? { baseline: place("baseline", 0.03) } : {},
    combine: "mean",
    floor: null,
    eosBound: null,
    lengthNorm: "none",
    eosIds: [2],
    calibration: {},
    ...given,
  };
  writeReward(directory, manifest);
  return new RewardModel(directory);
}

/** Rows of unlike lengths; their prompts have 3 tokens. */
const ROWS = [[1, 40, 50, 7, 81, 2], [1, 9, 30, 60, 61, 62, 63, 20, 11, 5, 2], [1, 70, 71, 2]];

function rolloutOf(ids: readonly number[]): RolloutRow {
  const responseIds = Int32Array.from(ids.slice(3)), logprobs = new Float32Array(responseIds.length);
  const names = { id: "r", promptId: "p", sample: 0, meta: "{}", finishReason: "eos" } as const;
  return { ...names, promptIds: Int32Array.from(ids.slice(0, 3)), responseIds, logprobs, logprobsT1: null };
}

/** A batch for the exported graph. */
interface Batch {
  readonly ids: readonly number[];
  readonly dims: readonly [rows: number, length: number];
}

/** `rows`, right-padded to `length`. */
function batchOf(rows: readonly (readonly number[])[], length: number): Batch {
  const padding = 5; // any id pads
  return {
    ids: rows.flatMap((row) => [...row, ...Array<number>(length - row.length).fill(padding)]),
    dims: [rows.length, length],
  };
}

/**
 * token_rewards of every batch by the exported file. The JavaScript API runs in a process of its own: ONNX Runtime has one
 * environment per process, and that of this process is ours.
 */
async function runExported(file: string, batches: readonly Batch[]): Promise<number[][]> {
  const permissions = ["--no-prompt", "--allow-read", "--allow-env", "--allow-sys", "--allow-ffi"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...permissions, fileURLToPath(import.meta.url), file, JSON.stringify(batches)],
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await child.output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function checkExport(
  family: string,
  given: Partial<RewardManifest>,
  members = 2,
  adapters = false,
  hasBaseline = false,
): Promise<void> {
  using directory = new TemporaryDirectory();
  const reward = makeReward(directory.path, family, given, members, adapters, hasBaseline);
  const file = directory.file("reward.onnx");
  writeRewardGraph(file, reward);
  const sft = { path: join(directory.path, "members/0"), digest: reward.manifest.members[0]!.digest };
  const scored = runSync(reward.score(ROWS.map(rolloutOf), { sft, bosId: 1 }));
  const expected = scored.map(({ tokenRewards }) => tokenRewards);
  assert(expected.flatMap((row) => [...row]).some((x) => Math.abs(x) > 0.01), "rewards must differ from 0");
  if ((given.floor || given.floorBoth) && given.baseWeight === undefined) {
    assert(expected.some((row) => row.includes(0)), "a token must be below the floor");
  }
  const batches = [batchOf(ROWS, 11), batchOf(ROWS, 17), batchOf([ROWS[2]!], 4)]; // one file, any shape
  const found = await runExported(file, batches);
  batches.forEach(({ dims: [rows, length] }, k) => {
    assertEquals(found[k]!.length, rows * length);
    const own = rows === 1 ? [2] : [0, 1, 2];
    own.forEach((row, b) => {
      assertEquals(found[k]![b * length], 0);
      for (let t = 3; t < ROWS[row]!.length; t++) {
        assertAlmostEquals(
          found[k]![b * length + t]!,
          expected[row]![t - 3]!,
          1e-4,
          `row ${row}, token ${t}`,
        );
      }
    });
  });
}

Deno.test("reward.onnx gives score's token rewards: two members, tied weights", () =>
  checkExport("llama", {}));

Deno.test("reward.onnx of adapters contains their shared backbone once", () =>
  checkExport("llama", {}, 2, true));

Deno.test("reward.onnx applies floor and eos_bound", () =>
  checkExport("llama", { floor: -4.6, eosBound: 0.05 }));

Deno.test("reward.onnx keeps the penalties of tokens at or below the floor with floor_penalties=keep", async () => {
  await checkExport("llama", { floor: -4.6, floorPenalties: "keep", eosBound: 0.05 });
  await checkExport("llama", { floor: -4.6, floorPenalties: "keep", tokenCap: 0.02 });
});

Deno.test("reward.onnx applies floor_both and token_cap, the cap at EOS too without eos_bound", () =>
  checkExport("llama", { floorBoth: -4.55, tokenCap: 0.04 }));

Deno.test("reward.onnx subtracts the baseline; the floors compare with the base", () =>
  checkExport("llama", { floor: -4.6, eosBound: 0.05 }, 2, false, true));

Deno.test("reward.onnx applies base_weight after the guards, and without any", async () => {
  await checkExport("llama", { floor: -4.6, eosBound: 0.05, tokenCap: 0.04, baseWeight: 0.75 });
  await checkExport("llama", { baseWeight: 0, eosIds: [] }, 1);
});

Deno.test("reward.onnx combines by the minimum, with two EOS ids", () =>
  checkExport("llama", { combine: "min", eosIds: [2, 5], eosBound: 0.02 }));

Deno.test("reward.onnx combines by mean minus deviation", () => checkExport("llama", { combine: "lcb" }, 3));

Deno.test("reward.onnx supports scaled rotary embedding", () => checkExport("llama3_rope", {}, 1));

for (const family of FAMILY_GOLDENS) {
  Deno.test(`reward.onnx supports the family ${family}`, () => checkExport(family, {}, 1));
}

Deno.test("equal rewards give equal bytes", () => {
  using directory = new TemporaryDirectory();
  const reward = makeReward(directory.path, "llama", {}, 1);
  const [a, b] = ["a.onnx", "b.onnx"].map((name) => {
    writeRewardGraph(directory.file(name), reward);
    return Deno.readFileSync(directory.file(name));
  });
  assertEquals(a, b);
});

Deno.test("primitives of exported graphs have no derivative", () => {
  const trace = new Trace(), x = trace.input("x", "f32", [6]), ids = trace.input("ids", "i64", [2, 3]);
  const y = ofOwnTokens(x, ids);
  const error = assertThrows(
    () => backward([{ output: y, cotangent: trace.input("g", "f32", [2, 3]) }], [x]),
    UnsupportedOpError,
  );
  assertEquals(
    error.message,
    "ofOwnTokens has no derivative: it is for exported graphs only",
  );
});

/** As a program: runs the ONNX file of the first argument on the batches of the second, through the JavaScript API. */
if (import.meta.main) {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const session = await InferenceSession.create(Deno.args[0]!, { logSeverityLevel: 3 });
  const results: number[][] = [];
  for (const { ids, dims } of JSON.parse(Deno.args[1]!) as Batch[]) {
    const { token_rewards } = await session.run({
      input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), dims),
    });
    results.push([...token_rewards!.data as Float32Array]);
  }
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(results)));
}

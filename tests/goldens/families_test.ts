/** Model families against transformers and PyTorch, and proof that every check notices one wrong number. @module */
import { assert, assertEquals } from "@std/assert";
import { checkFamily } from "@/tests/goldens/checks/check_family.ts";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { GOLDEN_FOLDER, GOLDEN_NAMES } from "@/tests/support/golden_families.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

/** Its golden has no decoding: transformers rotates by the padded length there. */
const WITHOUT_DECODING = "llama_rope_dynamic";
const FORWARD_AND_TRAINING = [
  "logits",
  "logits of rows alone",
  "log-probabilities",
  "gradients",
  "losses of 4 AdamW steps",
  "gradient norms of 4 AdamW steps",
  "parameters after 4 AdamW steps",
];
const CHECKS = [...FORWARD_AND_TRAINING, "greedy ids", "logits of decoding", "decoding against training"];

Deno.test(`${WITHOUT_DECODING} gives the logits, gradients and steps of transformers, within a tenth of the tolerances`, () => {
  const lines = checkFamily(`${GOLDEN_FOLDER}/${WITHOUT_DECODING}`);
  assertEquals(lines.map(({ check }) => check), FORWARD_AND_TRAINING);
  for (const { check, largestError, bar, worst } of lines) {
    assert(largestError <= bar / 10, `${check}: ${largestError} at ${worst}`);
  }
});

for (const family of GOLDEN_NAMES.filter((name) => name !== WITHOUT_DECODING)) {
  Deno.test(`${family} gives the logits, gradients, steps and greedy texts of transformers, within a tenth of the tolerances`, () => {
    const lines = checkFamily(`${GOLDEN_FOLDER}/${family}`);
    assertEquals(lines.map(({ check }) => check), CHECKS);
    for (const { check, largestError, bar, worst } of lines) {
      assert(largestError <= bar / 10, `${check}: ${largestError} at ${worst}`);
    }
  });
}

/** The names of the checks that fail once `change` was made to a copy of a family. */
function failuresAfter(family: string, change: (directory: string) => void): string[] {
  using copy = new TemporaryDirectory();
  for (const { name } of Deno.readDirSync(`${GOLDEN_FOLDER}/${family}`)) {
    Deno.copyFileSync(`${GOLDEN_FOLDER}/${family}/${name}`, copy.file(name));
  }
  change(copy.path);
  return checkFamily(copy.path).filter(({ ok }) => !ok).map(({ check }) => check);
}

/** Rewrites a safetensors file with one tensor changed, or without it. */
function edit(
  path: string,
  tensor: string,
  change: (data: Float32Array | Int32Array) => void | "drop",
): void {
  const file = openSafetensors(path);
  const tensors = file.names.map((name) => ({ name, tensor: file.read(name) }));
  file[Symbol.dispose]();
  const kept = tensors.filter(({ name, tensor: { data } }) =>
    name !== tensor || change(data as Float32Array | Int32Array) !== "drop"
  );
  writeSafetensors(path, kept);
}

Deno.test("a weight that is off by 0.02 fails every check of arithmetic", () => {
  const failures = failuresAfter(
    "llama",
    (directory) =>
      edit(`${directory}/model.safetensors`, "model.layers.1.mlp.down_proj.weight", (data) => {
        data[7]! += 0.02;
      }),
  );
  // decoding and training run the same wrong weights and agree; greedy ids survive a small change
  const blind = ["greedy ids", "decoding against training"];
  assertEquals(failures.filter((check) => !blind.includes(check)), CHECKS.filter((c) => !blind.includes(c)));
  assert(!failures.includes("decoding against training"));
});

const MUTATIONS: readonly (readonly [tensor: string, at: number, by: number, failing: string[]])[] = [
  ["logits", 5, 3e-4, ["logits", "logits of rows alone"]],
  ["token_logprobs", 3, 3e-4, ["log-probabilities"]],
  ["loss", 0, 2e-3, ["losses of 4 AdamW steps"]],
  ["losses", 4, 2e-3, ["losses of 4 AdamW steps"]],
  ["grad_norms", 3, 2e-3, ["gradient norms of 4 AdamW steps"]],
  ["grad.model.layers.0.input_layernorm.weight", 2, 0.02, ["gradients"]],
  ["param4.model.norm.weight", 2, 3e-4, ["parameters after 4 AdamW steps"]],
  ["greedy.1.ids", 9, 1, ["greedy ids"]],
  ["greedy.2.logits", 100, 3e-4, ["logits of decoding"]],
];

for (const [tensor, at, by, failing] of MUTATIONS) {
  Deno.test(`one wrong number in ${tensor} fails exactly ${failing.join(" and ")}`, () => {
    const failures = failuresAfter(
      "llama",
      (directory) =>
        edit(`${directory}/golden.safetensors`, tensor, (data) => {
          data[at]! += by;
        }),
    );
    assertEquals(failures, failing);
  });
}

Deno.test("a gradient or a final parameter that the golden lacks fails its check", () => {
  for (
    const [prefix, check] of [["grad.", "gradients"], ["param4.", "parameters after 4 AdamW steps"]] as const
  ) {
    const failures = failuresAfter(
      "llama",
      (directory) => edit(`${directory}/golden.safetensors`, `${prefix}model.norm.weight`, () => "drop"),
    );
    assertEquals(failures, [check]);
  }
});

Deno.test("a mismatch at a margin below 1e-3 ends the comparison of its row, and is no error", () => {
  const failures = failuresAfter("llama", (directory) => {
    const path = `${directory}/golden.safetensors`;
    edit(path, "greedy.0.margin", (data) => {
      data[5] = 5e-4;
    });
    edit(path, "greedy.0.ids", (data) => {
      for (let k = 5; k < data.length; k++) data[k] = (data[k]! + 1) % 90;
    });
  });
  assertEquals(failures, []);
});

Deno.test("a part that throws fails, and the others are checked all the same", () => {
  const failures = failuresAfter("llama", (directory) => {
    const path = `${directory}/config.json`, config = JSON.parse(Deno.readTextFileSync(path));
    Deno.writeTextFileSync(path, JSON.stringify({ ...config, max_position_embeddings: 8 }));
  });
  assertEquals(failures.at(-1), "decoding");
  assert(!failures.includes("logits"));
});

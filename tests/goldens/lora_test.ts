/** LoRA adapters against PEFT and PyTorch; one wrong number fails exactly its check. @module */
import { assert, assertEquals } from "@std/assert";
import { checkLora } from "@/tests/goldens/checks/check_lora.ts";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const FOLDER = "fixtures/goldens/lora";
const CHECKS = [
  "logits",
  "logits of rows alone",
  "log-probabilities",
  "logits, adapter off",
  "merged weights",
  "logits, adapter merged",
  "gradients",
  "losses of 4 AdamW steps",
  "gradient norms of 4 AdamW steps",
  "parameters after 4 AdamW steps",
  "decoding against training",
];

for (const adapter of ["adapter", "adapter_rslora"]) {
  Deno.test(`${adapter} gives PEFT's logits, gradients, steps and merged weights, within a tenth of the tolerances`, () => {
    const lines = checkLora(`${FOLDER}/${adapter}`);
    assertEquals(lines.map(({ check }) => check), CHECKS);
    for (const { check, largestError, bar, worst } of lines) {
      assert(largestError <= bar / 10, `${check}: ${largestError} at ${worst}`);
    }
  });
}

Deno.test("a directory with a base and adapters is checked adapter by adapter", () => {
  const names = ["adapter", "adapter_rslora"];
  assertEquals(
    checkLora(FOLDER).map(({ check }) => check),
    names.flatMap((name) => CHECKS.map((check) => `${name}: ${check}`)),
  );
});

/** Returns the names of the checks that fail after a change of one tensor of a copy of `adapter`. */
function failuresAfter(file: string, tensor: string, change: (data: Float32Array) => void): string[] {
  using copy = new TemporaryDirectory();
  copyTree(FOLDER, copy.path);
  const path = copy.file(`adapter/${file}`), opened = openSafetensors(path);
  const tensors = opened.names.map((name) => ({ name, tensor: opened.read(name) }));
  opened[Symbol.dispose]();
  change(tensors.find(({ name }) => name === tensor)!.tensor.data as Float32Array);
  writeSafetensors(path, tensors);
  return checkLora(copy.file("adapter")).filter(({ ok }) => !ok).map(({ check }) => check);
}

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyTree(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

const MODULE = "base_model.model.model.layers.1.mlp.up_proj";
const MUTATIONS: readonly (readonly [file: string, tensor: string, by: number, failing: string[]])[] = [
  ["golden.safetensors", "base_logits", 3e-4, ["logits, adapter off"]],
  ["golden.safetensors", `grad.${MODULE}.lora_A.weight`, 0.02, ["gradients"]],
  ["golden.safetensors", `param4.${MODULE}.lora_B.weight`, 3e-4, ["parameters after 4 AdamW steps"]],
  ["merged/model.safetensors", "model.layers.1.mlp.up_proj.weight", 3e-4, ["merged weights"]],
];

for (const [file, tensor, by, failing] of MUTATIONS) {
  Deno.test(`one wrong number in ${tensor} fails exactly ${failing.join(" and ")}`, () => {
    assertEquals(
      failuresAfter(file, tensor, (data) => {
        data[3]! += by;
      }),
      failing,
    );
  });
}

Deno.test("an adapter's weight that is off by 0.5 fails all checks but those of the base and of decoding against training", () => {
  const failures = failuresAfter("adapter_model.safetensors", `${MODULE}.lora_B.weight`, (data) => {
    data[7]! += 0.5;
  });
  const blind = ["logits, adapter off", "decoding against training"];
  assertEquals(failures, CHECKS.filter((check) => !blind.includes(check)));
});

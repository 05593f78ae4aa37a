/** One iteration of Self-Rewarding PPO against PyTorch; one wrong value fails exactly its check. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkSrppo } from "@/tests/goldens/checks/check_srppo.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const FOLDER = "fixtures/goldens/srppo";

Deno.test("an iteration gives every intermediate and the final weights of PyTorch, within a tenth of the tolerances", () => {
  const lines = checkSrppo(FOLDER);
  assertEquals(lines.length, 33);
  for (const { check, largestError, bar, worst } of lines) {
    assert(largestError <= bar / 10, `${check}: ${largestError} at ${worst}`);
  }
});

/** Returns the checks that fail after a change of golden.json and final.safetensors. */
function failuresAfter(change: {
  readonly json?: (golden: Record<string, unknown>) => void;
  readonly weights?: (data: Map<string, Float32Array>) => void;
}): string[] {
  using copy = new TemporaryDirectory();
  for (const model of ["base", "sft", "policy", "critic"]) {
    Deno.mkdirSync(copy.file(model));
    for (const name of ["config.json", "model.safetensors"]) {
      Deno.copyFileSync(`${FOLDER}/${model}/${name}`, copy.file(`${model}/${name}`));
    }
  }
  const golden = JSON.parse(Deno.readTextFileSync(`${FOLDER}/golden.json`));
  change.json?.(golden);
  copy.write("golden.json", JSON.stringify(golden));
  const file = openSafetensors(`${FOLDER}/final.safetensors`);
  const tensors = file.names.map((name) => ({ name, tensor: file.read(name) }));
  file[Symbol.dispose]();
  change.weights?.(new Map(tensors.map(({ name, tensor }) => [name, tensor.data as Float32Array])));
  writeSafetensors(copy.file("final.safetensors"), tensors);
  return checkSrppo(copy.path).filter(({ ok }) => !ok).map(({ check }) => check);
}

/** Returns `value` with the last number of the last list off by one percent and 0.001. */
function nudged(value: unknown): unknown {
  return Array.isArray(value)
    ? [...value.slice(0, -1), nudged(value.at(-1))]
    : (value as number) * 1.01 + 0.001;
}

const VALUES = (
  "sft_logprobs base_logprobs token_log_ratio reward old_logprobs kl_k1 kl_mean rewards values advantages returns advantages_mean " +
  "advantages_var whitened_advantages entropy_before explained_variance_before final_logprobs final_values"
).split(" ");

const UPDATE_VALUES = (
  "policy_loss value_loss policy_grad_norm value_grad_norm clip_fraction value_clip_fraction approx_kl_k1 approx_kl_k3 entropy " +
  "ratio_mean ratio_max logprobs values"
).split(" ");

Deno.test("one wrong number in any value before and after the updates fails exactly its check", () => {
  for (const field of VALUES) {
    assertEquals(failuresAfter({ json: (golden) => golden[field] = nudged(golden[field]) }), [field]);
  }
});

Deno.test("one wrong number in any value of an update fails exactly its check", () => {
  for (const field of UPDATE_VALUES) {
    const json = (golden: Record<string, unknown>) => {
      const update = (golden.updates as Record<string, unknown>[])[2]!;
      update[field] = nudged(update[field]);
    };
    assertEquals(failuresAfter({ json }), [`update.${field}`]);
  }
});

Deno.test("one wrong final weight fails, unless the golden skips it because of rounding", () => {
  const name = "critic.score.weight";
  const wrong = failuresAfter({ weights: (data) => void (data.get(name)![3]! += 3e-4) });
  assertEquals(wrong, ["final weights"]);
  const skipped = failuresAfter({
    weights(data) {
      const [skip, positions] = [...data].find(([key, list]) =>
        key.startsWith("skip.policy") && list.length > 0
      )!;
      data.get(skip.slice("skip.".length))![positions[0]!]! += 1;
    },
  });
  assertEquals(skipped, []);
});

Deno.test("an unknown key in the training settings of a golden (optimizer, schedule, loss) fails by name", () => {
  const json = (golden: Record<string, unknown>) => {
    const config = golden.config as Record<string, Record<string, unknown>>;
    Object.assign(config, { min_lr: 1e-5 });
    Object.assign(config.optimizer!, { amsgrad: true });
  };
  assertThrows(
    () => failuresAfter({ json }),
    DataError,
    'config.optimizer: Unrecognized key: "amsgrad"; config: Unrecognized key: "min_lr"',
  );
});

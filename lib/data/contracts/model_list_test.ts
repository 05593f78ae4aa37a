import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { listModels } from "./model_list.ts";

/** Writes files of the folder; a name that ends in a slash is an empty folder. */
function fill(folder: TemporaryDirectory, ...names: string[]): void {
  for (const name of names) {
    Deno.mkdirSync(folder.file(name.slice(0, name.lastIndexOf("/"))), { recursive: true });
    if (!name.endsWith("/")) folder.write(name, "{}");
  }
}

Deno.test("listModels() returns models, and the models of a directory by the numbers in their names", () => {
  using folder = new TemporaryDirectory();
  fill(folder, "sft/config.json", "lora/adapter_config.json", "lora/base/config.json");
  fill(folder, ...["checkpoint-1000", "checkpoint-200"].map((name) => `run/${name}/config.json`));
  fill(folder, "run/trainer_state.json", "run/.checkpoint-300.partial/weights");
  const [sft, run, lora] = ["sft", "run", "lora"].map((name) => folder.file(name)) as [
    string,
    string,
    string,
  ];
  assertEquals(listModels("checkpoints", [sft, run, lora]), [
    { name: "checkpoints[0]", path: sft },
    { name: "checkpoints[1]/checkpoint-200", path: `${run}/checkpoint-200` },
    { name: "checkpoints[1]/checkpoint-1000", path: `${run}/checkpoint-1000` },
    { name: "checkpoints[2]", path: lora },
  ]);
});

Deno.test("listModels() does not check a directory without subdirectories, a file or a missing path", () => {
  using folder = new TemporaryDirectory();
  fill(folder, "half/model.safetensors");
  const paths = ["half", "half/model.safetensors", "gone"].map((name) => folder.file(name));
  assertEquals(listModels("members", paths).map(({ path }) => path), paths);
});

Deno.test("listModels() lists every empty directory and every subdirectory that is no model", () => {
  using folder = new TemporaryDirectory();
  fill(folder, "none/", "run/000010/config.json", "run/000020/weights", "run/logs/");
  const error = assertThrows(
    () => listModels("checkpoints", [folder.file("none"), folder.file("run")]),
    DataError,
  );
  assertEquals(
    error.message.replaceAll(folder.path, "DIR"),
    "checkpoints requires models or directories of models: checkpoints[0] DIR/none is empty; " +
      "checkpoints[1]/000020 has no config.json; checkpoints[1]/logs has no config.json",
  );
});

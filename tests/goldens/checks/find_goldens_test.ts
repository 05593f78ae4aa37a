import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { findGoldens } from "./find_goldens.ts";

/** A directory with empty files at some paths; topics hold what makes them one. */
function folderOf(paths: readonly string[]): TemporaryDirectory {
  const folder = new TemporaryDirectory();
  for (const path of paths) {
    Deno.mkdirSync(folder.file(path.split("/").slice(0, -1).join("/")), { recursive: true });
    folder.write(path, path.endsWith("topic.json") ? '{ "topic": "topic", "cases": [] }' : "");
  }
  return folder;
}

Deno.test("every kind is recognised by its content, at any depth and in order", () => {
  using folder = folderOf([
    "a/README.md",
    "a/family/golden.safetensors",
    "a/family/config.json",
    "a/iteration/golden.json",
    "a/iteration/base/config.json",
    "a/iteration/sft/config.json",
    "a/iteration/policy/config.json",
    "a/iteration/critic/config.json",
    "b/chat/cases.json",
    "b/chat/tokenizer_config.json",
    "b/corrupt/expected.jsonl",
    "b/layouts/expected.jsonl",
    "b/layouts/files.jsonl",
    "b/lora/adapter/adapter_config.json",
    "b/lora/base/config.json",
    "b/text/cases.json",
    "c/other.json",
    "c/topic.json",
    "d/notes.txt",
  ]);
  assertEquals(findGoldens(folder.path).map(({ name, kind }) => `${name}: ${kind}`), [
    "a/family: family",
    "a/iteration: srppo",
    "b/chat: chat_template",
    "b/corrupt: corrupt",
    "b/layouts: layouts",
    "b/lora: lora",
    "b/text: tokenizer",
    "c/other: unknown",
    "c/topic: ppo",
    `${folder.path.split("/").at(-1)}/d: unknown`,
  ]);
});

Deno.test("a golden itself, a topic's file, and an adapter alone may be named", () => {
  using folder = folderOf(["x/golden.safetensors", "topic.json", "y/adapter_config.json"]);
  const kindOf = (path: string) => findGoldens(folder.file(path)).map(({ kind }) => kind);
  assertEquals([kindOf("x"), kindOf("topic.json"), kindOf("y")], [["family"], ["ppo"], ["lora"]]);
});

Deno.test("a path that is no golden and holds none is refused with its content", () => {
  using folder = folderOf(["empty/x/y.txt", "notes.json"]);
  const what =
    "a golden (LoRA adapter, model family, iteration of Self-Rewarding PPO, chat template, tokenizer, list of layouts, " +
    "list of corrupt files, benchmark, topic of PPO) or a directory of goldens";
  const message = (name: string, holds: string) => `${folder.file(name)} must be ${what}, got ${holds}`;
  assertThrows(() => findGoldens(folder.file("empty")), DataError, message("empty", "x"));
  assertThrows(() => findGoldens(folder.file("notes.json")), DataError, message("notes.json", "no topic"));
  Deno.mkdirSync(folder.file("none"));
  assertThrows(() => findGoldens(folder.file("none")), DataError, message("none", "nothing"));
  const absent = folder.file("absent");
  assertThrows(
    () => findGoldens(absent),
    DataError,
    `${absent}: no such file or directory`,
  );
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import { digestBytes } from "@/lib/data/files/digest.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { copyTokenizerFiles, tokenizerDigest } from "./model_directory.ts";
import { readReward, type RewardManifest, writeReward } from "./reward_directory.ts";
import { readTrainerState, type TrainerState, writeTrainerState } from "./trainer_state.ts";

const REWARD: RewardManifest = {
  members: [{ path: "members/0", digest: "a".repeat(64) }, { path: "members/1", digest: "b".repeat(64) }],
  base: { path: "base", digest: "c".repeat(64) },
  combine: "mean",
  floor: -6,
  eosBound: null,
  lengthNorm: "none",
  eosIds: [2],
  calibration: { sft_mean: 3.5, base_mean: -2 },
};

Deno.test("reading a reward directory returns what was written, in snake_case on disk", () => {
  using directory = new TemporaryDirectory();
  writeReward(directory.path, REWARD);
  assertEquals(readReward(directory.path), REWARD);
  const document = JSON.parse(Deno.readTextFileSync(directory.file("reward.json")));
  assertEquals(Object.keys(document), [
    "base",
    "calibration",
    "combine",
    "eos_bound",
    "eos_ids",
    "floor",
    "length_norm",
    "members",
    "version",
  ]);
});

Deno.test("readReward() lists all issues, also paths outside the directory", () => {
  using directory = new TemporaryDirectory();
  writeReward(directory.path, REWARD);
  const document = JSON.parse(Deno.readTextFileSync(directory.file("reward.json")));
  for (const path of ["../../base", "/etc", "a/../../b", "a//b", ".", "a\\b", ""]) {
    const text = JSON.stringify({ ...document, base: { ...document.base, path } });
    const file = directory.write("reward.json", text);
    assertEquals(
      assertThrows(() => readReward(directory.path), DataError).message,
      `${file} must be a reward, version 1 or 2: /base/path must stay within the directory`,
    );
  }
  const file = directory.write(
    "reward.json",
    JSON.stringify({ ...document, version: 3, members: [], combine: "max" }),
  );
  const error = assertThrows(() => readReward(directory.path), DataError);
  assertEquals(error.where, { file });
  assertEquals(error.message.match(/\/(version|members|combine) /g), ["/version ", "/members ", "/combine "]);
});

Deno.test("reading a reward of version 2 returns what was written; version 1 is written if it is sufficient", () => {
  using directory = new TemporaryDirectory();
  const full: RewardManifest = {
    ...REWARD,
    members: [{ path: "members/0", digest: "a".repeat(64) }],
    baseline: { path: "baseline", digest: "d".repeat(64) },
    combine: "soup",
    soupOf: ["e".repeat(64), "f".repeat(64)],
    floorPenalties: "keep",
    floorBoth: -5,
    tokenCap: 2,
    lengthNorm: "target",
    lengthTarget: 38.5,
  };
  const written = () => JSON.parse(Deno.readTextFileSync(directory.file("reward.json")));
  writeReward(directory.path, full);
  assertEquals(readReward(directory.path), full);
  assertEquals([written().version, written().floor_both, written().soup_of.length], [2, -5, 2]);
  writeReward(directory.path, { ...REWARD, tokenCap: 2 });
  assertEquals(written().version, 2);
  writeReward(directory.path, REWARD);
  assertEquals(written().version, 1);
});

Deno.test("keys of version 2 in version 1 are an error, and so is an incomplete soup or target", () => {
  using directory = new TemporaryDirectory();
  writeReward(directory.path, REWARD);
  const document = JSON.parse(Deno.readTextFileSync(directory.file("reward.json")));
  const messageOf = (change: Record<string, unknown>) => {
    const file = directory.write("reward.json", JSON.stringify({ ...document, ...change }));
    const { message } = assertThrows(() => readReward(directory.path), DataError);
    return message.replace(`${file} must be a reward, version 1 or 2: `, "");
  };
  assertEquals(messageOf({ token_cap: 2 }), "/token_cap requires version 2");
  assertEquals(messageOf({ floor_penalties: "keep" }), "/floor_penalties requires version 2");
  assertEquals(
    messageOf({ version: 2, combine: "soup", length_norm: "target" }),
    "/soup_of must be present for combine=soup, and only then; /members must be one model for combine=soup; " +
      "/length_target must be present for length_norm=target, and only then",
  );
});

Deno.test("a trainer's state gives back what was written", () => {
  using directory = new TemporaryDirectory();
  const state: TrainerState = {
    kind: "ppo",
    policyUpdates: 12,
    criticUpdates: 40,
    iteration: 3,
    rewardCentre: -0.5,
    rewardScale: null,
    beta: 0.7,
  };
  writeTrainerState(directory.path, state);
  assertEquals(readTrainerState(directory.path), state);
  assertEquals(Deno.readTextFileSync(directory.file("trainer_state.json")).includes("fluency_factor"), false);
  const full: TrainerState = {
    ...state,
    fluencyFactor: 1.5,
    runningReward: { count: 4, mean: 2, squares: 0.5 },
    episodes: 128,
    firstIteration: { reward: 6.5, base_nll: 1.25 },
  };
  writeTrainerState(directory.path, full);
  assertEquals(readTrainerState(directory.path), full);
  const file = directory.write("trainer_state.json", '{"version": 2, "kind": "ppo"}');
  const error = assertThrows(() => readTrainerState(directory.path), DataError);
  assert(
    error.message.includes("a trainer's state, version 2") && error.message.includes("/policy_updates "),
  );
  assertEquals(error.where, { file });
});

Deno.test("readTrainerState() refuses version 1 by name, and says to train the loop again", () => {
  using directory = new TemporaryDirectory();
  const file = directory.write("trainer_state.json", '{"version": 1, "kind": "ppo", "kl_coef": 0.7}');
  assertEquals(
    assertThrows(() => readTrainerState(directory.path), DataError).message,
    `${file}: the trainer state must be of version 2, got version 1, whose fields have other names. ` +
      "Start the training again from the first iteration, without the input state",
  );
});

Deno.test("copyTokenizerFiles() copies the tokenizer files that exist and no others", () => {
  using from = new TemporaryDirectory();
  using to = new TemporaryDirectory();
  for (const name of ["tokenizer.json", "chat_template.jinja", "config.json", "model.safetensors"]) {
    from.write(name, name);
  }
  assertEquals(copyTokenizerFiles(from.path, to.path), ["tokenizer.json", "chat_template.jinja"]);
  assertEquals(Array.from(Deno.readDirSync(to.path), (e) => e.name).sort(), [
    "chat_template.jinja",
    "tokenizer.json",
  ]);
  assertEquals(tokenizerDigest(from.path), tokenizerDigest(to.path));
});

Deno.test("tokenizerDigest() is that of tokenizer.json, of older files, or of the vocabulary's size", () => {
  using directory = new TemporaryDirectory();
  const config = directory.write("config.json", '{"vocab_size": 512}');
  assertEquals(tokenizerDigest(directory.path), digestBytes("none:512"));
  directory.write("vocab.json", "{}");
  directory.write("merges.txt", "a b");
  assertEquals(
    tokenizerDigest(directory.path),
    digestBytes(`${digestBytes("{}")}  vocab.json\n${digestBytes("a b")}  merges.txt\n`),
  );
  directory.write("tokenizer.json", '{"model": 1}');
  directory.write("tokenizer_config.json", "changes nothing");
  assertEquals(tokenizerDigest(directory.path), digestBytes('{"model": 1}'));
  for (const name of ["tokenizer.json", "vocab.json", "merges.txt"]) Deno.removeSync(directory.file(name));
  directory.write("config.json", '{"vocab_size": "512"}');
  assertEquals(
    assertThrows(() => tokenizerDigest(directory.path), DataError).message,
    `${config}: vocab_size must be an integer, as the model has no tokenizer, got "512"`,
  );
});

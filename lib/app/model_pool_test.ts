/** Models that are loaded and leave, with the processes of the server. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import OpenAI from "openai";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { loadModel, writeMerged, writeModel } from "@/lib/model/models/checkpoint.ts";
import { PLAIN_LORA } from "@/lib/model/models/lora/adapter.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { withModelServer } from "@/tests/support/model_server.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { EngineProcess } from "./engine_process.ts";
import { ModelPool } from "./model_pool.ts";
import { inspectModels, readModelPlaces, type ServedModel } from "./served_models.ts";

const STORIES = "fixtures/stories260k";
const LIMITS = { slots: 4, tokens: 512, memoryBytes: 4e9 };
const REQUEST = {
  ...{ n: 1, sampling: { temperature: 0 }, maxTokens: 4, stops: [], seed: 1, logprobs: null },
  ...{ echo: false, ignoreEos: false, stream: false, prompts: ["Once upon a time"] },
};

function served(...names: string[]): ServedModel[] {
  return inspectModels(readModelPlaces(names.map((name) => `${name}=${STORIES}`), Deno.cwd()).models, LIMITS);
}

const start = ({ directory, read }: ServedModel) =>
  EngineProcess.start({ directory, slots: 4, tokens: 512, threads: 1 }, read);

Deno.test("models are loaded when they are used, and the least recently used idle one leaves for the next", async () => {
  const models = served("a", "b", "c"), [{ bytes }] = models as [ServedModel];
  const pool = new ModelPool(models, { memoryBytes: 2.5 * bytes, sequences: 8, load: start });
  const ask = (name: string) => pool.use(name, 1, (engine) => engine.complete(REQUEST));
  try {
    assertEquals(pool.loaded, []);
    const [a, b] = [await ask("a"), await ask("b")];
    assertEquals(a, b);
    assertEquals(pool.loaded, ["a", "b"]);
    await ask("a");
    await ask("c");
    assertEquals(pool.loaded, ["a", "c"]);
    // More models at a time than fit: all requests are completed, in turn.
    const names = ["b", "a", "c", "b", "a", "c"];
    assertEquals(await Promise.all(names.map(ask)), names.map(() => a));
    assert(pool.loaded.length <= 2);
    assertEquals(pool.active, 0);
  } finally {
    await pool.close();
  }
});

Deno.test("a process that dies fails its requests, and the next request starts another", async () => {
  const started: EngineProcess[] = [];
  const load = async (model: ServedModel) => {
    const engine = await start(model);
    started.push(engine);
    return engine;
  };
  const pool = new ModelPool(served("a"), { memoryBytes: 4e9, sequences: 8, load });
  try {
    const long = { ...REQUEST, maxTokens: 500, ignoreEos: true };
    const dying = pool.use("a", 1, async (engine) => {
      started[0]!.child.kill("SIGKILL");
      return await engine.complete(long);
    });
    await assertRejects(() => dying, Error, "has ended, got SIGKILL");
    const { choices } = await pool.use("a", 1, (engine) => engine.complete(REQUEST));
    assertEquals([choices.length, started.length], [1, 2]);
  } finally {
    await pool.close();
  }
});

Deno.test("names, directories and memory are checked before the server listens", () => {
  const { problems } = readModelPlaces(["a b=x", "m=x", "m=y", "fixtures/stories260k"], "/work");
  assertEquals(problems, [
    '--model must be NAME=DIR with a name of letters, digits and ._:/-, got "a b"',
    "names of --model must be different, got m twice",
  ]);
  const { models } = readModelPlaces(["fixtures/stories260k"], Deno.cwd());
  assertEquals(models[0]!.name, "stories260k");
  assertThrows(
    () => inspectModels(models, { ...LIMITS, memoryBytes: 1e6 }),
    UsageError,
    "--memory must be at least the memory of each model (less with --max-sequences or --max-tokens): got 1 MB, " +
      '"stories260k" takes 255 MB',
  );
  const broken = readModelPlaces(["fixtures/goldens/lora/base"], Deno.cwd()).models;
  assertThrows(
    () => inspectModels(broken, LIMITS),
    DataError,
    "a served model requires tokenizer.json, got none",
  );
});

Deno.test("an adapter is served like the model that it is merged into, with the tokenizer of its base", async () => {
  using directory = new TemporaryDirectory();
  for (const name of ["adapter", "merged"]) Deno.mkdirSync(directory.file(name));
  const base = loadModel(STORIES), config = { ...PLAIN_LORA, rank: 4, alpha: 8 };
  const adapter = newAdapter(base, config, { baseDirectory: STORIES, seed: 1 });
  const key = makeKey(2, "b");
  adapter.parameters.data.forEach((_, i, all) => all[i] = 0.2 * (uniform(key, i) - 0.5));
  writeModel(directory.file("adapter"), adapter);
  writeMerged(directory.file("merged"), adapter);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    for (const to of ["merged", "adapter/base"]) {
      Deno.copyFileSync(`${STORIES}/${name}`, directory.file(`${to}/${name}`));
    }
  }
  const flags = ["adapter", "merged"].flatMap((name) => ["--model", `${name}=${directory.file(name)}`]);
  await withModelServer([...flags, "--model", `base=${STORIES}`], async ({ address, lines }) => {
    assertMatch(lines[0]!, /^Models: adapter \(\d+ MB\), merged \(\d+ MB\), base \(\d+ MB\); at most 4.0 GB/);
    const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
    const texts = await Promise.all(["adapter", "merged", "base"].map(async (model) => {
      const { choices } = await client.completions.create(
        { model, prompt: "Once upon a time", max_tokens: 40, temperature: 0, logprobs: 0 },
      );
      return [choices[0]!.text, choices[0]!.logprobs!.token_logprobs];
    }));
    assertEquals(texts[0], texts[1]);
    assert(texts[0]![0] !== texts[2]![0]);
  });
});

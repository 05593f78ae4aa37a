import { assertRejects } from "@std/assert";
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { runTask, type Task } from "./task.ts";

const STAGE = defineStage({
  id: "some-stage",
  summary: "Does something.",
  params: z.strictObject({ times: z.int().min(1).default(1).describe("repetitions") }),
  renamed: { count: "times" },
  inputs: {},
  outputs: {},
  random: false,
  run: ({ signal }) => Promise.resolve(signal.throwIfAborted()),
});

function task(params: Task["params"]): Task {
  const empty = { inputs: {}, outputs: {} };
  return { version: 1, stage: "some-stage", params, ...empty, seed: 0, iteration: 0, threads: 1 };
}

Deno.test("runTask() makes the error of throwIfAborted() one of exit code 75", async () => {
  const control = { signal: AbortSignal.abort(), progress: () => {} };
  await assertRejects(
    () => runTask(STAGE, task({}), control),
    TryAgainError,
    "Interrupted: some-stage is discarded. Run the same command to resume",
  );
});

Deno.test("runTask() lists all invalid parameters, old names with their new ones", async () => {
  const control = { signal: new AbortController().signal, progress: () => {} };
  await assertRejects(
    () => runTask(STAGE, task({ times: 0, count: 2 }), control),
    UsageError,
    'Invalid parameters for some-stage: parameter "times" must be ≥ 1, got 0; unknown parameter "count": it is now "times"',
  );
});

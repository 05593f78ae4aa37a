/**
 * The quickstart with all of its stages, small enough for tests: forty demonstrations, two members, three iterations of
 * sixteen rollouts. It shows that bytes are the same, not that the policy improves.
 * @module
 */
import { join } from "node:path";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { parseRecord } from "@/lib/pipeline/engine/action_record.ts";
import { assertEquals } from "@std/assert";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const SETTINGS = [
  "sft.max_updates=4",
  "sft.batch_size=8",
  "members.count=2",
  "members.sft.max_updates=4",
  "members.sft.batch_size=8",
  "reward.max_new_tokens=12",
  "reward.calibration_prompts=8",
  "ppo.count=3",
  "ppo.rollout.prompts_per_iteration=16",
  "ppo.rollout.max_new_tokens=12",
  "ppo.update.minibatch_size=8",
  "ppo.update.epochs=1",
  "ppo.update.critic_warmup_iterations=1",
  "eval.max_new_tokens=12",
  "eval.modes=[greedy]",
];

/** Nodes of an undisturbed run: tokenize, SFT, two members, the reward, three iterations of three, continued SFT, eval. */
export const NODES = 16;

/** A folder with the small quickstart's files and runs. */
export class SmallQuickstart implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly #inputs: readonly string[];

  /** @param rows of the files */
  constructor(rows = { demonstrations: 40, prompts: 24, evalPrompts: 12 }) {
    const first = (name: string, rows: number) =>
      this.#directory.write(name, firstRows(join("fixtures/quickstart", name), rows));
    this.#inputs = [
      `demonstrations=${first("demos.jsonl", rows.demonstrations)}`,
      `prompts=${first("prompts.jsonl", rows.prompts)}`,
      `eval_prompts=${first("eval.jsonl", rows.evalPrompts)}`,
    ];
  }

  /** Returns the absolute path of an entry of the folder. */
  file(name: string): string {
    return this.#directory.file(name);
  }

  /** Returns the flags of a run in the folder `run`, with its own store; later flags override earlier ones. */
  flags(run: string, ...more: readonly string[]): string[] {
    return [
      "--run-dir",
      this.file(run),
      ...this.#inputs.flatMap((input) => ["--input", input]),
      ...SETTINGS.flatMap((setting) => ["--set", setting]),
      "--threads",
      "2",
      ...more,
    ];
  }

  /** Starts `deno task pipeline` in the folder `run`. */
  start(run: string, ...more: readonly string[]): Deno.ChildProcess {
    return launch(["pipeline", ...this.flags(run, ...more)]);
  }

  /** Runs it to its end and returns the events that it printed. */
  async run(run: string, ...more: readonly string[]): Promise<RunEvent[]> {
    const { code, out, err } = await finish(this.start(run, "--json", ...more));
    assertEquals(code, 0, err);
    return out.trim().split("\n").map((line) => JSON.parse(line) as RunEvent);
  }

  /** Returns the digests of the outputs of a run, and of everything that its actions wrote, by key. */
  bytes(run: string): { readonly outputs: unknown; readonly actions: Readonly<Record<string, unknown>> } {
    const folder = join(this.file(run), "store", "actions");
    const records = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".json"))
      .map(({ name }) => parseRecord(Deno.readTextFileSync(join(folder, name)))!);
    return {
      outputs: digestDirectory(join(this.file(run), "outputs")),
      actions: Object.fromEntries(records.map(({ key, outputs }) => [key, outputs])),
    };
  }

  /** Removes the folder. */
  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Returns the first `rows` lines of a file of the project. */
export function firstRows(path: string, rows: number): string {
  const lines = Deno.readTextFileSync(join(projectRoot, path)).split("\n");
  return lines.slice(0, rows).map((line) => `${line}\n`).join("");
}

/** Returns the stages that ran, by path and copy or iteration: `members.sft[1]`, `ppo.update[3]`. */
export function ran(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type !== "stage_finished") return [];
    const at = event.index ?? event.iteration;
    return [at === undefined ? event.stage : `${event.stage}[${at}]`];
  }).sort();
}

/** Returns how many stages ran and how many were cached, from the run's last event. */
export function counts(events: readonly RunEvent[]): { readonly ran: number; readonly cached: number } {
  const last = events.at(-1);
  if (last?.type !== "run_finished") throw new Error(`The run did not finish: ${JSON.stringify(last)}`);
  return { ran: last.ran, cached: last.cached };
}

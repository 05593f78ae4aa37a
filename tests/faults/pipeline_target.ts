/** The small quickstart with all of its stages, killed while it runs and resumed in the same run directory. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { interrupt, kill, startBare } from "@/tests/e2e/interrupted.ts";
import { SmallQuickstart } from "@/tests/e2e/small_quickstart.ts";
import { type Fault, type KillResult, pause, type Target } from "./target.ts";

/** A pipeline that is killed. After each comparison the next run begins with an empty store. */
export class PipelineTarget implements Target {
  readonly name = "pipeline";
  #runs = 0;
  #kills = 0;

  private constructor(
    readonly quickstart: SmallQuickstart,
    readonly expected: ReturnType<SmallQuickstart["bytes"]>,
  ) {}

  /** Runs the pipeline once without a kill. */
  static async open(): Promise<PipelineTarget> {
    const quickstart = new SmallQuickstart();
    await quickstart.run("undisturbed");
    return new PipelineTarget(quickstart, quickstart.bytes("undisturbed"));
  }

  /** The kill happens at a random time after the start of a random stage, or of the program. */
  async kill({ signal, random }: Fault): Promise<KillResult> {
    const number = this.#kills++, run = `killed${this.#runs}`;
    const flags = ["--executor", number % 2 === 0 ? "inline" : "process"];
    const child = number % 4 < 2
      ? startBare(this.quickstart, run, ...flags)
      : this.quickstart.start(run, "--json", ...flags);
    let stages = Math.floor(4 * random());
    if (stages === 0) pause(2500 * random()).then(() => kill(child, signal));
    const { code, err } = await interrupt(child, signal, async (event: RunEvent) => {
      if (event.type !== "stage_started" || --stages !== 0) return false;
      await pause(400 * random());
      return true;
    });
    // 137 and 143: ended by the signal, the latter before the program handles it; 75: interrupted.
    assert([0, 75, 137, 143].includes(code), `exit code ${code} after ${signal}: ${err}`);
    return code === 0 ? "finished" : "interrupted";
  }

  async compare(): Promise<void> {
    const run = `killed${this.#runs++}`;
    await this.quickstart.run(run);
    const { outputs, actions } = this.quickstart.bytes(run);
    assertEquals(outputs, this.expected.outputs);
    const keys = (all: object) => Object.keys(all).map((key) => key.slice(0, 8)).sort().join(" ");
    assertEquals(keys(actions), keys(this.expected.actions), "keys of the actions");
    for (const [key, action] of Object.entries(actions)) {
      assertEquals(action, this.expected.actions[key], `outputs of the action ${key}`);
    }
    Deno.removeSync(this.quickstart.file(run), { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.quickstart[Symbol.dispose]();
    return Promise.resolve();
  }
}

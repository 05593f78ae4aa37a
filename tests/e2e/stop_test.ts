/** Interrupted runs: the current step is finished, the message says what is stored, and the next run resumes. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { interrupt, startBare } from "./interrupted.ts";
import { counts, NODES, SmallQuickstart } from "./small_quickstart.ts";

/** Returns the standard error of a pipeline that was interrupted after `done` stages. */
function interruptedText(done: number): string {
  return "Stopping after the current step (press Ctrl-C again to quit immediately)\n" +
    `Interrupted: ${done} of ${NODES} stages are finished and stored. Run the same command to resume\n`;
}

/** Returns the number of stages that a run finished or found cached. */
function done(events: readonly RunEvent[]): number {
  return events.filter(({ type }) => type === "stage_finished" || type === "stage_cached").length;
}

/** Returns the steps that the stage at `path` reported. */
function steps(events: readonly RunEvent[], path: string): number[] {
  return events.flatMap((e) =>
    e.type === "stage_progress" && e.stage === path && e.step !== undefined ? [e.step] : []
  );
}

Deno.test("Ctrl-C during sft and during ppo stores finished work and exits with 75; the same command gives the same bytes", async () => {
  using quickstart = new SmallQuickstart();
  // Enough updates for the signal to arrive during sft.
  const longer = ["--set", "sft.max_updates=40"];
  await quickstart.run("undisturbed", ...longer);

  const during = await interrupt(
    startBare(quickstart, "stopped", ...longer),
    "SIGINT",
    (event) => event.type === "stage_progress" && event.stage === "sft" && (event.step ?? 0) > 0,
  );
  assertEquals([during.code, during.err], [75, interruptedText(1)]);
  assertEquals(during.events.at(-1)?.type, "run_stopped");
  const last = steps(during.events, "sft").at(-1)!;
  assert(last < 40, `sft was at ${last}: the signal came too late for this test`);

  const update = await interrupt(
    startBare(quickstart, "stopped", ...longer),
    "SIGINT",
    (event) => event.type === "stage_started" && event.stage === "ppo.update" && event.iteration === 1,
  );
  assertEquals([update.code, update.err], [75, interruptedText(done(update.events))]);
  const first = steps(update.events, "sft").find((step) => step > 0)!;
  assert(first > last, `sft resumed at ${first}: ${last} updates were made before the signal`);

  const events = await quickstart.run("stopped", ...longer);
  const { ran, cached } = counts(events);
  assertEquals([ran + cached, cached], [NODES, done(update.events)]);
  assertEquals(quickstart.bytes("stopped"), quickstart.bytes("undisturbed"));
});

Deno.test("SIGTERM to the launcher interrupts the pipeline, also with stages in separate processes", async () => {
  using quickstart = new SmallQuickstart();
  for (const executor of ["inline", "process"]) {
    const { code, err, events } = await interrupt(
      quickstart.start(executor, "--json", "--executor", executor),
      "SIGTERM",
      (event) => event.type === "stage_started" && event.stage === "sft",
    );
    assertEquals([code, err], [75, interruptedText(done(events))]);
  }
});

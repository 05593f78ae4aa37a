/** A stop on request: the step in hand is finished, the message says what is kept, and the next run goes on from there. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/contracts/events.ts";
import { interrupt, startBare } from "./interrupted.ts";
import { counts, NODES, SmallQuickstart } from "./small_quickstart.ts";

/** What the pipeline says when it was stopped after `done` stages. */
function stopped(done: number): string {
  return "Stopping after the current step (press Ctrl-C again to quit immediately)\n" +
    `Stopped: ${done} of ${NODES} stages are done and kept; the same command goes on from there\n`;
}

/** Stages that a run finished, now or before. */
function done(events: readonly RunEvent[]): number {
  return events.filter(({ type }) => type === "stage_finished" || type === "stage_cached").length;
}

/** Steps of the stage at `path` that a run told of. */
function steps(events: readonly RunEvent[], path: string): number[] {
  return events.flatMap((e) =>
    e.type === "stage_progress" && e.stage === path && e.step !== undefined ? [e.step] : []
  );
}

Deno.test("Ctrl-C during sft and during ppo keeps what is done and exits 75; the same command gives the same bytes", async () => {
  using quickstart = new SmallQuickstart();
  // Enough updates that a stop finds sft at work.
  const longer = ["--set", "sft.max_updates=40"];
  await quickstart.run("undisturbed", ...longer);

  const during = await interrupt(
    startBare(quickstart, "stopped", ...longer),
    "SIGINT",
    (event) => event.type === "stage_progress" && event.stage === "sft" && (event.step ?? 0) > 0,
  );
  assertEquals([during.code, during.err], [75, stopped(1)]);
  assertEquals(during.events.at(-1)?.type, "run_stopped");
  const last = steps(during.events, "sft").at(-1)!;
  assert(last < 40, `sft was at ${last}: the stop came too late to mean anything`);

  const update = await interrupt(
    startBare(quickstart, "stopped", ...longer),
    "SIGINT",
    (event) => event.type === "stage_started" && event.stage === "ppo.update" && event.iteration === 1,
  );
  assertEquals([update.code, update.err], [75, stopped(done(update.events))]);
  const first = steps(update.events, "sft").find((step) => step > 0)!;
  assert(first > last, `sft began again at ${first}: ${last} updates were made before the stop`);

  const events = await quickstart.run("stopped", ...longer);
  const { ran, cached } = counts(events);
  assertEquals([ran + cached, cached], [NODES, done(update.events)]);
  assertEquals(quickstart.bytes("stopped"), quickstart.bytes("undisturbed"));
});

Deno.test("SIGTERM to the launcher stops the pipeline below it, with stages in processes of their own too", async () => {
  using quickstart = new SmallQuickstart();
  for (const executor of ["inline", "process"]) {
    const { code, err, events } = await interrupt(
      quickstart.start(executor, "--json", "--executor", executor),
      "SIGTERM",
      (event) => event.type === "stage_started" && event.stage === "sft",
    );
    assertEquals([code, err], [75, stopped(done(events))]);
  }
});

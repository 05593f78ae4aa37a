/** Which run starts when. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type JobEnd, runQueue } from "./run_queue.ts";

interface Job {
  readonly name: string;
  readonly group: string;
}

/** Makes a queue whose jobs end on request. */
function controlled(jobs: readonly Job[], lanes: number, signal = new AbortController().signal) {
  const running = new Map<string, (end: JobEnd) => void>();
  const order: string[] = [];
  const finished = runQueue(jobs, {
    lanes,
    signal,
    start: ({ name }) => {
      order.push(name);
      return new Promise<JobEnd>((resolve) => running.set(name, resolve));
    },
  });
  async function end(name: string, how: JobEnd = "done"): Promise<void> {
    running.get(name)!(how);
    running.delete(name);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { order, running, end, finished };
}

const job = (name: string): Job => ({ name, group: name[0]! });

Deno.test("two lanes take runs of different seeds, and of one seed only when nothing else is left", async () => {
  const queue = controlled(["a1", "a2", "b1", "b2"].map(job), 2);
  assertEquals(queue.order, ["a1", "b1"]);
  await queue.end("a1");
  assertEquals(queue.order, ["a1", "b1", "a2"]);
  await queue.end("a2");
  assertEquals(queue.order, ["a1", "b1", "a2", "b2"]);
  await queue.end("b1");
  await queue.end("b2");
  assertEquals([...(await queue.finished).values()], ["done", "done", "done", "done"]);
});

Deno.test("a failed run keeps none from running; a stopped one keeps all that wait", async () => {
  const queue = controlled(["a1", "b1", "c1", "d1"].map(job), 2);
  await queue.end("a1", "failed");
  assertEquals(queue.order, ["a1", "b1", "c1"]);
  await queue.end("b1", "stopped");
  await queue.end("c1");
  assertEquals(queue.order, ["a1", "b1", "c1"]);
  const ends = await queue.finished;
  assertEquals([...ends].map(([{ name }, end]) => [name, end]), [["a1", "failed"], ["b1", "stopped"], [
    "c1",
    "done",
  ]]);
});

Deno.test("once stopped, runs under way are waited for and no more start", async () => {
  const stop = new AbortController();
  const queue = controlled(["a1", "b1"].map(job), 1, stop.signal);
  stop.abort();
  let isOver = false;
  queue.finished.then(() => isOver = true);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([queue.order, isOver], [["a1"], false]);
  await queue.end("a1", "stopped");
  assertEquals((await queue.finished).size, 1);
});

Deno.test("every run starts once, never more at a time than there are lanes", async () => {
  const jobs = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(jobs, fc.integer({ min: 1, max: 4 }), async (groups, lanes) => {
      const list = groups.map((group, k) => ({ name: `${k}`, group }));
      let under = 0, most = 0;
      const ends = await runQueue(list, {
        lanes,
        signal: new AbortController().signal,
        start: async () => {
          most = Math.max(most, ++under);
          await Promise.resolve();
          under--;
          return "done";
        },
      });
      assertEquals([ends.size, most <= lanes], [list.length, true]);
    }),
    { numRuns: 50 },
  );
});

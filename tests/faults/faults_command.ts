/**
 * `deno task test:faults [--kills N] [--seed N] [--only NAME]`: ends a pipeline, a server's run and a download by `kill -9`
 * or SIGTERM at N random moments, starts each again, and compares the final bytes with those of an undisturbed run.
 * Prints a line for every ten kills and a last line with counts; exits with 1 if something differs.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { randomNumbers } from "@/tests/support/random_numbers.ts";
import { DownloadTarget } from "./download_target.ts";
import { PipelineTarget } from "./pipeline_target.ts";
import { ServerTarget } from "./server_target.ts";
import type { Target } from "./target.ts";

/** Kills of one target after which its work is finished and compared. */
const KILLS_PER_RUN = 5;

const flags = parseArgs(Deno.args, {
  string: ["kills", "seed", "only"],
  default: { kills: "200", seed: "1" },
});
const kills = Number(flags.kills), seed = Number(flags.seed);
if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
  console.error("Usage: deno task test:faults [--kills N] [--seed N] [--only pipeline|server|download]");
  Deno.exit(64);
}

const openers = { pipeline: PipelineTarget.open, server: ServerTarget.open, download: DownloadTarget.open };
const order = (["pipeline", "server", "pipeline", "download"] as const).filter((name) =>
  flags.only === undefined || name === flags.only
);
const counts = { interrupted: 0, finished: 0, compared: 0, failed: 0 };
const perTarget = new Map<string, number>();
const random = randomNumbers(seed), startedAt = performance.now();

/** Calls `work` and counts a failure. */
async function counting(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    counts.failed++;
    const message = String(error instanceof Error ? error.message : error);
    console.log(`FAILED ${what}: ${message.split("\n").slice(0, 8).join("\n")}`);
  }
}

async function compare(target: Target): Promise<void> {
  await counting(`${target.name} after ${perTarget.get(target.name)} kills`, async () => {
    await target.compare();
    counts.compared++;
  });
}

function counted(): string {
  const split = [...perTarget].map(([name, count]) => `${name} ${count}`).join(", ");
  return `${split}; ${counts.interrupted} during a run, ${counts.finished} after its end; ` +
    `${counts.compared} results equal, ${counts.failed} failures`;
}

const targets = new Map<string, Target>();
for (const name of new Set(order)) targets.set(name, await openers[name]());
try {
  for (let i = 0; i < kills; i++) {
    const target = targets.get(order[i % order.length]!)!;
    const fault = { signal: random() < 0.7 ? "SIGKILL" : "SIGTERM", random } as const;
    const count = (perTarget.get(target.name) ?? 0) + 1;
    perTarget.set(target.name, count);
    await counting(`${target.name}, kill ${i + 1} by ${fault.signal}`, async () => {
      counts[await target.kill(fault)]++;
    });
    if (count % KILLS_PER_RUN === 0) await compare(target);
    if ((i + 1) % 10 === 0) console.log(`${i + 1} of ${kills} kills: ${counted()}`);
  }
  for (const target of targets.values()) await compare(target);
} finally {
  for (const target of targets.values()) await target[Symbol.asyncDispose]();
}
const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
console.log(`${kills} kills in ${minutes} minutes (seed ${seed}): ${counted()}`);
Deno.exit(counts.failed === 0 ? 0 : 1);

/** Events of an invented run of the quickstart's shape, for tests of the displays and of the report. @module */
import type { NodeName, RunEvent } from "@/lib/data/contracts/events.ts";

/** Length of the run, and how much of it is cached. */
export interface ExampleOptions {
  /** iterations of PPO; default 4 */
  readonly iterations?: number;
  /** iterations, from the first, that are cached like all stages before them; default 0: no stage is cached */
  readonly cachedIterations?: number;
}

/** Returns the metrics of iteration `i` of `iterations`. */
export function exampleIteration(i: number, iterations: number): Record<string, number> {
  const t = i / Math.max(1, iterations - 1);
  const wave = Math.sin(2.3 * i);
  return {
    reward: 32 + 5.6 * t + 0.7 * wave,
    kl_to_sft: 4.1 * t * t + 0.1 * t * wave,
    kl_to_base: 25 + 6 * t,
    response_length: 40.6 + 1.2 * wave,
    eos_rate: 0.95 + 0.02 * wave,
    entropy: 1.42 - 0.4 * t,
    explained_variance: 0.39 + 0.35 * t + 0.04 * wave,
    clip_fraction: i < 3 ? 0 : 0.06 + 0.02 * wave,
    policy_updates: Math.max(0, i - 2) * 8,
  };
}

/** Returns the events of the invented run, in order. */
export function exampleEvents({ iterations = 4, cachedIterations = 0 }: ExampleOptions = {}): RunEvent[] {
  const before: NodeName[] = [
    { stage: "tokenize", uses: "tokenize", role: "data" },
    { stage: "sft", uses: "sft", role: "train" },
    ...[0, 1].map((index) => ({ stage: "members.sft", uses: "sft", role: "train" as const, index })),
    { stage: "reward", uses: "build-reward", role: "reward" },
  ];
  const after: NodeName[] = [
    { stage: "continued", uses: "sft", role: "train" },
    { stage: "eval", uses: "eval", role: "evaluate" },
  ];
  const loop = Array.from({ length: iterations }, (_, iteration): NodeName[] => [
    { stage: "ppo.rollout", uses: "rollout", role: "sample", iteration },
    { stage: "ppo.score", uses: "score", iteration },
    { stage: "ppo.update", uses: "ppo-update", role: "update", iteration },
  ]).flat();
  const nodes: NodeName[] = [...before, ...loop, ...after];
  let time = Date.UTC(2026, 0, 2, 12);
  const events: RunEvent[] = [{
    type: "run_started",
    time,
    manifest: "pipelines/quickstart.yaml",
    run_dir: "runs/quickstart",
    seed: 0,
    threads: 2,
    executor: "inline",
    nodes,
  }, {
    type: "estimated",
    time,
    memory_bytes: 4.1e8,
    disk_bytes: 6.5e7,
    memory_free_bytes: 7.2e9,
    disk_free_bytes: 4.1e10,
  }];
  let cached = 0;
  let total = 0;
  for (const node of nodes) {
    const key = `key-of-${node.stage}`;
    const { iteration } = node;
    const isCached = iteration === undefined ? node.role !== "evaluate" : iteration < cachedIterations;
    if (cachedIterations > 0 && isCached) {
      events.push({ type: "stage_cached", time, ...node, key, seconds: 1 });
      cached++;
    } else {
      events.push({ type: "stage_started", time, ...node, key, reason: "" });
      const seconds = node.role === "train" ? 12 : 2;
      for (let step = 1; step <= 3; step++) {
        time += (seconds * 1000) / 4;
        const fields = {
          tokens_per_second: node.role === "sample" ? 2310 : 15400,
          ...(node.role === "train" ? { loss: 2 / step } : {}),
        };
        events.push({ type: "stage_progress", time, ...node, step, total: 4, fields });
      }
      time += (seconds * 1000) / 4;
      total += seconds;
      events.push({ type: "stage_finished", time, ...node, key, seconds, outputs: {} });
    }
    if (node.role === "update") {
      events.push({ type: "metrics", time, ...node, values: exampleIteration(iteration!, iterations) });
    }
  }
  events.push({ type: "run_finished", time, seconds: total, ran: nodes.length - cached, cached });
  return events;
}

/** The site file: what it accepts, and what it says of a stage. */
import { assertEquals, assertThrows } from "@std/assert";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { parseSite, placementOf } from "./site.ts";

const SITE = `
executor: slurm
partition: cpu
retries: 5
project: /shared/srppo
stages:
  "ppo.*": { partition: gpu, gpus: 1, memory: 40G, time: "2:00:00" }
  ppo.score: { gpus: 0 }
  eval: { executor: process }
`;

Deno.test("a stage has the site's values, replaced by those of every entry that matches, in order", () => {
  const site = parseSite(SITE, "site.yaml");
  const common = { executor: "slurm", partition: "cpu", retries: 5 } as const;
  assertEquals(placementOf(site, "sft", undefined), common);
  const gpu = { ...common, partition: "gpu", memory: "40G", time: "2:00:00" };
  assertEquals(placementOf(site, "ppo.update", undefined), { ...gpu, gpus: 1 });
  assertEquals(placementOf(site, "ppo.score", undefined), { ...gpu, gpus: 0 });
  assertEquals(placementOf(site, "eval", undefined).executor, "process");
});

Deno.test("--executor replaces the site's executor, not that of a stage's entry", () => {
  const site = parseSite(SITE, "site.yaml");
  assertEquals(placementOf(site, "sft", "inline").executor, "inline");
  assertEquals(placementOf(site, "eval", "inline").executor, "process");
  assertEquals(placementOf({}, "sft", undefined).executor, "inline");
});

Deno.test("everything wrong in a site file is listed with its place", () => {
  const text = `executor: kubernetes
memory: 16
options: [--qos=high, "--wrap=x; rm -rf /"]
stages:
  sft: { gpu: 1, time: soon }
`;
  const { message } = assertThrows(() => parseSite(text, "site.yaml"), ManifestError);
  assertEquals(message.split("\n").map((line) => line.replace(/, got .*/, "")), [
    "Invalid site file site.yaml: 5 problems",
    '  site.yaml:1:1: "executor" must be "inline" or "process" or "container" or "ssh" or "slurm"',
    '  site.yaml:2:1: "memory" must be a string',
    '  site.yaml:3:23: "1" must be one word of letters, digits and @%+=:,./-_',
    '  site.yaml:5:10: unknown key "gpu", did you mean "gpus"?',
    '  site.yaml:5:18: "time" must be minutes or [DAYS-]HOURS:MM:SS, such as "2:00:00"',
  ]);
});

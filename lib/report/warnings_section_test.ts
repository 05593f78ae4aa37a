import { assertEquals, assertStringIncludes } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { exampleReport, exampleRewards } from "@/tests/report/example_report.ts";
import { reportPage } from "./report_page.ts";
import { runWarnings, warningsSection } from "./warnings_section.ts";

const update = { type: "stage_progress", time: 0, stage: "ppo.update", uses: "ppo-update" } as const;
const [reward] = exampleRewards() as [ReturnType<typeof exampleRewards>[number]];
const ofReward = { stage: "reward", index: null, iteration: null, message: reward.warnings[0]! };

/** Returns warnings of iterations `0 … count − 1`. */
function warnings(count: number): RunEvent[] {
  return Array.from(
    { length: count },
    (_, iteration) => ({ ...update, iteration, warning: `note <${iteration}>` }),
  );
}

Deno.test("runWarnings() returns warnings with copy and iteration, in order, and no other progress", () => {
  const events: RunEvent[] = [
    { ...update, stage: "members.sft", uses: "sft", index: 1, warning: "loss rises" },
    { ...update, iteration: 2, step: 1, total: 4 },
    { ...update, iteration: 2, warning: "KL leaves its band" },
  ];
  assertEquals(runWarnings(events), [
    { stage: "members.sft", index: 1, iteration: null, message: "loss rises" },
    { stage: "ppo.update", index: null, iteration: 2, message: "KL leaves its band" },
  ]);
});

Deno.test("runWarnings() returns the warnings of cached stages from when they ran, in order, and nothing twice", () => {
  const cached = { ...update, type: "stage_cached", key: "k", seconds: 1 } as const;
  const events: RunEvent[] = [
    { ...cached, iteration: 0 },
    { ...cached, iteration: 1, warnings: ["length rises", "KL rises"] },
    { ...update, iteration: 1, warning: "KL rises" }, // its bytes were gone: it ran again
    { ...update, iteration: 2, warning: "KL rises" },
  ];
  assertEquals(
    runWarnings(events).map(({ iteration, message }) => [iteration, message]),
    [[1, "length rises"], [1, "KL rises"], [2, "KL rises"]],
  );
});

Deno.test("runWarnings() has a reward's warnings, whether its stage ran now or is cached", () => {
  const now = { ...update, stage: "reward", uses: "build-reward", warning: reward.warnings[0]! } as const;
  const { warning, ...name } = now;
  const then: RunEvent = { ...name, type: "stage_cached", key: "k", seconds: 1, warnings: [warning!] };
  assertEquals(runWarnings([now]), [ofReward]);
  assertEquals(runWarnings([then]), [ofReward]);
});

Deno.test("warningsSection() lists warnings by stage and iteration, escaped, and leaves the reward's to its own section", () => {
  const report = exampleReport();
  const page = (events: RunEvent[]) =>
    warningsSection({ ...report, warnings: [ofReward, ...runWarnings(events)] })?.markup ?? "none";
  assertEquals(page([]), "none");
  const one = page([{
    ...update,
    stage: "members.sft",
    uses: "sft",
    index: 1,
    iteration: 4,
    warning: "a < b",
  }]);
  assertStringIncludes(one, "<h2>Warnings</h2>");
  assertStringIncludes(one, 'scope="row">members.sft[1]</th>');
  assertStringIncludes(one, "<td>iteration 5</td>");
  assertStringIncludes(one, "<td>a &lt; b</td>");
  assertStringIncludes(one, "The section Reward has 1 more warning.");
  assertEquals(one.includes(reward.warnings[0]!), false);
});

Deno.test("warningsSection() shows twelve warnings and says how many there are; report.json has all", async () => {
  const report = exampleReport();
  const many = { ...report, warnings: runWarnings(warnings(30)) };
  assertEquals(many.warnings.length, 30);
  const page = await reportPage(many);
  assertEquals(page.match(/note &lt;/g)!.length, 12);
  assertStringIncludes(page, "These are the first 12 of 30; report.json has all.");
});

/** Tests learning rates that follow another training by ratios. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { checkNeeds } from "@/lib/pipeline/engine/task.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { params } from "./params.ts";
import { peakRates } from "./peak_rates.ts";

Deno.test("lr=auto and critic_lr=auto are ratios of the peak learning rate in lr_of; numbers stay", async () => {
  using directory = new TemporaryDirectory();
  const metrics = directory.file("sft.arrow");
  await writeMetrics(metrics, [5e-4, 1e-3, 2e-4].map((value, step) => ({ step, name: "lr", value })));
  const rates = (given: Record<string, unknown>) => peakRates(params.parse(given), metrics);
  assertEquals(rates({ lr: "auto", critic_lr: "auto" }), { policy: 0.15 * 1e-3, critic: 1e-3 });
  assertEquals(rates({ lr: "auto", critic_lr: 3e-4, lr_ratio: 0.1 }), {
    policy: 0.1 * 1e-3,
    critic: 3e-4,
  });
  assertEquals(rates({ critic_lr: "auto", critic_lr_ratio: 2 }), { policy: 1e-6, critic: 2e-3 });
  assertEquals(peakRates(params.parse({}), undefined), { policy: 1e-6, critic: 9e-6 });
});

Deno.test("auto without lr_of is refused before anything runs", () => {
  const inputs = { scored: "s", policy: "p", critic: "c" };
  const error = assertThrows(
    () => checkNeeds(stage, stage.params.parse({ lr: "auto", critic_lr: "auto" }), inputs),
    UsageError,
  );
  assertEquals(
    error.message,
    "Missing inputs of ppo-update: lr=auto requires lr_of",
  );
});

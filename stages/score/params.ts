/** Parameters of `score`. What a reward is made of stands in the reward directory. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  external_weight: z.number().default(1)
    .describe(
      "Weight of what the module `external` gives a response, beside what the models pay. Without one: unused.",
    )
    .meta({ unit: "nats per unit of the module's", source: "1: TRL's reward_weights" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;

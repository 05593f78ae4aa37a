/** Parameters of `score`: none. What a reward is made of stands in the reward directory. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({});

/** Checked parameters. */
export type Params = z.output<typeof params>;

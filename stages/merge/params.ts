/** Parameters of `merge`: none. What is folded in, and how strongly, stands in the adapter's config. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({});

/** Checked parameters. */
export type Params = z.output<typeof params>;

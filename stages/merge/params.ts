/** Parameters of `merge`: none. The adapter's config defines the merge. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({});

/** Checked parameters. */
export type Params = z.output<typeof params>;

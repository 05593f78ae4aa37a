/** Parameters of `score`: a reward from outside. What the models' reward is made of stands in the reward directory. @module */
import { z } from "zod";
import { hostOf } from "@/lib/contracts/reached_hosts.ts";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  external_weight: z.number().default(1)
    .describe(
      "Weight of what the module `external` or the endpoint external_url gives a response, beside what the models pay. " +
        "Without one: unused.",
    )
    .meta({ unit: "nats per unit of what is given", source: "1: TRL's reward_weights" }),
  external_url: z.string().default("")
    .refine(
      (text) => text === "" || hostOf(text) !== undefined,
      "must be an address that begins with http:// or https://",
    )
    .refine(
      (text) => !hasLogin(text),
      "must hold no user and no password, which would stand in every record: SRPPO_URL_TOKEN is sent as bearer token",
    )
    .describe(
      "HTTP endpoint that gives every answer a number, in place of the module `external`. The run may reach its host, and " +
        "no other. Empty: none.",
    )
    .meta({ source: "none: only the user knows; OpenRLHF's remote_rm_url" }),
  external_timeout: z.number().positive().max(86_400).default(180)
    .describe("How long a request to external_url may take.")
    .meta({ unit: "seconds", source: "OpenRLHF: 180" }),
  external_attempts: z.int().positive().default(5)
    .describe(
      "How often a request is made before external_url is given up: after 408, 429, 5xx, a timeout or no connection.",
    )
    .meta({ unit: "requests", source: "OpenRLHF: 5" }),
  external_batch: z.int().positive().nullable().default(null)
    .describe("Rows of a request. null: all of a round, so that the endpoint may compare answers.")
    .meta({ unit: "rows", source: "null: what a module sees" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;

function hasLogin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && `${url.username}${url.password}` !== "";
}

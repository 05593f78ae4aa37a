/** Parameters of `score`: the sampling temperature, and the external reward. The rule of the models' reward is in the reward directory. @module */
import { z } from "zod";
import { hostOf } from "@/lib/data/contracts/reached_hosts.ts";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature of the rollouts, for the KL.")
    .meta({
      unit: "1",
      source: "as in rollout",
      details:
        "Must equal temperature of rollout and ppo-update. With another value than 1, SFT model and base are also scored at this " +
        "temperature, for the KL between the sampled policies. Rewards are always those at temperature 1.",
    }),
  external_weight: z.number().default(1)
    .describe("Weight of the external reward, added to the models' reward.")
    .meta({
      unit: "nats per unit of the external reward",
      source: "TRL: reward_weights of 1",
      details: "Ignored without the input `external` and without external_url.",
    }),
  external_url: z.string().default("")
    .refine(
      (text) => text === "" || hostOf(text) !== undefined,
      "must be an address that begins with http:// or https://",
    )
    .refine(
      (text) => !hasLogin(text),
      "must not contain a user or password, as parameters are stored: set SRPPO_URL_TOKEN=HOST:PORT=TOKEN, which is sent as bearer token",
    )
    .describe("HTTP endpoint of an external reward, instead of a module.")
    .meta({
      source: "off; OpenRLHF: remote_rm_url",
      details: "The stage may connect to this host and port only.",
    }),
  external_timeout: z.number().positive().max(86_400).default(180)
    .describe("Timeout of a request to external_url.")
    .meta({ unit: "seconds", source: "OpenRLHF: 180" }),
  external_attempts: z.int().positive().max(1_000).default(5)
    .describe("Maximum attempts per request to external_url.")
    .meta({
      unit: "requests",
      source: "OpenRLHF: 5",
      details: "A request is retried after status 408, 429 or 5xx, a timeout, or a failed connection.",
    }),
  external_batch: z.int().positive().nullable().default(null)
    .describe("Rows per request to external_url; null: all rows.")
    .meta({
      unit: "rows",
      source: "ours: as for a module",
      details: "With all rows of an iteration in one request, the endpoint can compare responses.",
    }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;

function hasLogin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && `${url.username}${url.password}` !== "";
}

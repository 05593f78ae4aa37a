/** Tests that descriptions of parameters and ports are short, and that every default has a source. @module */
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { stages as registry } from "@/lib/app/registry.ts";

const MOST_PARAMETER_WORDS = 12;
const MOST_PORT_WORDS = 20;

const stages = await Promise.all((await registry.list()).map(registry.load));

/** Returns how many words `text` has: runs of characters with a letter or a digit among them. */
function wordsOf(text: string): number {
  return text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Returns the descriptions and sources of a stage's parameters by name. */
function parametersOf(params: z.ZodObject): [name: string, { description?: string; source?: string }][] {
  const { properties = {} } = z.toJSONSchema(params, { io: "input" });
  return Object.entries(properties) as [string, { description?: string; source?: string }][];
}

Deno.test(`descriptions of parameters have 1 to ${MOST_PARAMETER_WORDS} words`, () => {
  const wrong = stages.flatMap(({ id, params }) =>
    parametersOf(params).map(([name, { description = "" }]) =>
      [`${id}.${name}`, wordsOf(description)] as const
    )
  ).filter(([, words]) => words === 0 || words > MOST_PARAMETER_WORDS);
  assertEquals(wrong.map(([name, words]) => `${name}: ${words} words`), []);
  assert(stages.length > 5);
});

Deno.test("every parameter has a source", () => {
  const without = stages.flatMap(({ id, params }) =>
    parametersOf(params).filter(([, { source }]) => !source).map(([name]) => `${id}.${name}`)
  );
  assertEquals(without, []);
});

Deno.test(`descriptions of ports have 1 to ${MOST_PORT_WORDS} words`, () => {
  const wrong = stages.flatMap(({ id, inputs, outputs }) =>
    Object.entries({ ...inputs, ...outputs }).map(([name, { description }]) =>
      [`${id}.${name}`, wordsOf(description)] as const
    )
  ).filter(([, words]) => words === 0 || words > MOST_PORT_WORDS);
  assertEquals(wrong.map(([name, words]) => `${name}: ${words} words`), []);
});

Deno.test("wordsOf() counts words, not signs", () => {
  assertEquals(wordsOf("PPO clip range ε: the ratio is clipped to [1 − ε, 1 + ε]"), 13);
});

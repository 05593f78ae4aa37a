/** Goldens of verl and TRL, all files and fields, and proof that one wrong number is noticed. @module */
import { assertEquals } from "@std/assert";
import { tooFar, TOPICS } from "./rl_libraries/topics.ts";

const FOLDER = "fixtures/rl_libraries";

type Golden = Record<string, unknown>;

function casesOf(name: string): Golden[] {
  return JSON.parse(Deno.readTextFileSync(`${FOLDER}/${name}.json`)).cases;
}

/** Returns a copy with 0.01 added to the last number of nested lists and records. */
function withWrongNumber(value: unknown): unknown {
  if (typeof value === "number") return value + 0.01;
  const copy = structuredClone(value) as Record<string, unknown>, key = Object.keys(copy).at(-1)!;
  copy[key] = withWrongNumber(copy[key]);
  return copy;
}

Deno.test("every file of rl_libraries is compared", () => {
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name !== "README.md");
  assertEquals(files.sort(), Object.keys(TOPICS).map((name) => `${name}.json`).sort());
});

for (const [name, topic] of Object.entries(TOPICS)) {
  Deno.test(`${name}: this project's functions agree with the library's`, () => {
    const cases = casesOf(name);
    assertEquals(cases.length, topic.cases);
    for (const [i, golden] of cases.entries()) {
      assertEquals(tooFar(topic, golden), topic.different?.[i] ?? [], `fields of case ${i} that differ`);
    }
  });

  Deno.test(`${name}: one wrong number in any field of the first case is noticed`, () => {
    const golden = casesOf(name)[0]!;
    for (const field of Object.keys(topic.check(golden))) {
      assertEquals(tooFar(topic, { ...golden, [field]: withWrongNumber(golden[field]) }), [field]);
    }
  });
}

/** All seventeen topics of PPO with the check of `deno task golden`; single fields: tests/goldens/ppo/golden_topics_test.ts. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkPpo } from "@/tests/goldens/checks/check_ppo.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const FOLDER = "fixtures/goldens/ppo";
const TOPICS = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".json"))
  .sort();

Deno.test("there are seventeen topics of PPO", () => assertEquals(TOPICS.length, 17));

for (const topic of TOPICS) {
  Deno.test(`topic ${topic} is within its tolerances`, () => {
    const lines = checkPpo(`${FOLDER}/${topic}`);
    assert(lines.length > 0);
    for (const { check, ok, largestError, worst } of lines) {
      assert(ok, `${check}: ${largestError} at ${worst}`);
    }
  });
}

for (
  const [field, check] of [
    ["w", "weights of every step"],
    ["b", "weights of every step"],
    ["m_w", "moments of every step"],
    ["v_w", "moments of every step"],
    ["norms", "gradient norms"],
  ] as const
) {
  Deno.test(`a wrong number in ${field} of adamw fails exactly ${check}`, () => {
    const json = JSON.parse(Deno.readTextFileSync(`${FOLDER}/adamw.json`));
    let list = json.cases[1][field];
    while (Array.isArray(list.at(-1))) list = list.at(-1);
    list[0] = list[0] * 1.001 + 2e-5;
    using directory = new TemporaryDirectory();
    const failures = checkPpo(directory.write("adamw.json", JSON.stringify(json))).filter(({ ok }) => !ok);
    assertEquals(failures.map((line) => line.check), [check]);
  });
}

for (
  const [topic, key] of [
    ["adamw", "amsgrad"],
    ["schedules", "min_lr"],
    ["policy_loss", "clip_higher"],
    ["value_loss", "clip_rnage"],
    ["gae", "lambda"],
  ] as const
) {
  Deno.test(`an unknown key "${key}" in a case of ${topic} fails by name`, () => {
    const json = JSON.parse(Deno.readTextFileSync(`${FOLDER}/${topic}.json`));
    json.cases[0][key] = 0.1;
    using directory = new TemporaryDirectory();
    const path = directory.write(`${topic}.json`, JSON.stringify(json));
    assertThrows(() => checkPpo(path), DataError, `case 0 of "${topic}": unknown key "${key}"`);
  });
}

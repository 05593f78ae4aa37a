/** A stage in a process of its own may read its inputs and write its outputs, and no more. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { stages } from "@/lib/app/registry.ts";
import { usedModules } from "@/lib/data/contracts/user_modules.ts";
import { taskPermissions } from "@/lib/pipeline/executors/worker_command.ts";
import { ToyProject } from "./toy.ts";

for (
  const [what, access] of [["read", "read"], ["write", "write"], ["net", "net"], ["run", "run"], [
    "env",
    "env",
  ]] as const
) {
  Deno.test(`a stage that tries ${what} without permission is refused`, async () => {
    using toy = new ToyProject();
    const manifest = `stages: { reach: { uses: reach-out, with: { what: ${what} } } }`;
    const error = await assertRejects(() => toy.run({ manifest, executor: "process" })) as Error;
    assertEquals(/^Requires (\w+) access to /.exec(error.message)?.[1], access, error.message);
  });
}

Deno.test("only a stage with a user's module may start a process, and only setpriv", () => {
  const flagsOf = (inputs: Record<string, string>, params: Record<string, unknown>) =>
    taskPermissions(
      {
        version: 1,
        stage: "eval",
        params,
        inputs,
        outputs: { evals: "/out/evals.arrow" },
        seed: 0,
        iteration: 0,
        threads: 1,
      },
      "/task.json",
      { root: "/project", stages },
    ).filter((flag) => flag.startsWith("--allow-run"));
  assertEquals(flagsOf({ prompts: "/p.arrow" }, { checker: "words", checker_pattern: "x.ts" }), []);
  for (
    const [inputs, params] of [[{ checker: "/c.ts" }, {}], [{ external: "/r.js" }, {}], [{}, {
      checker: "a.mjs",
    }]]
  ) {
    assertEquals(flagsOf(inputs as Record<string, string>, params!), ["--allow-run=/usr/bin/setpriv"]);
  }
});

Deno.test("usedModules() knows all inputs and parameters of the stages that are modules", async () => {
  const names = { inputs: new Set<string>(), params: new Set<string>() };
  for (const id of await stages.list()) {
    const { inputs, params } = await stages.load(id);
    for (const [name, port] of Object.entries(inputs)) {
      if (/\bmodule\b/.test(port.description)) names.inputs.add(name);
    }
    for (const [name, schema] of Object.entries(params.shape)) {
      const { description = "" } = schema as { description?: string };
      if (/\bmodule\b/.test(description) && !name.endsWith("_url")) names.params.add(name);
    }
  }
  const given = (all: Set<string>) => Object.fromEntries([...all].map((name) => [name, "x.ts"]));
  assertEquals(
    usedModules(given(names.inputs), given(names.params)).sort(),
    [
      ...[...names.inputs].map((name) => `inputs.${name}`),
      ...[...names.params].map((name) => `params.${name}`),
    ].sort(),
  );
  assertEquals(names.inputs.size + names.params.size, 3);
});

/** The audit of pipelines/align.yaml: trained without a checker, and only then; and that no included manifest decides by its result. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot, stagesIn } from "@/lib/app/registry.ts";
import { allStages, type Blueprint } from "@/lib/pipeline/engine/blueprint.ts";
import { resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";

const stages = stagesIn(join(projectRoot, "stages"));

async function planned(
  file: string,
  set: readonly string[] = [],
  inputs: Record<string, string> = {},
): Promise<Blueprint> {
  const source = await readManifest(join(projectRoot, file), file);
  const manifest = applySettings(source.manifest, parseSettings(set));
  const resolved = resolveInputs(manifest, inputs, { root: projectRoot, workingDirectory: projectRoot });
  return await makeBlueprint({ ...source, manifest }, stages, { inputs: resolved });
}

/** Returns the fraction that is set aside, the stages that read the audit's demonstrations, and whether `eval` has the audit. */
function auditOf(blueprint: Blueprint) {
  const plans = allStages(blueprint);
  const readers = plans.filter(({ bindings }) =>
    Object.values(bindings).some((b) =>
      b.kind === "one" && b.reference.from === "stage" && b.reference.port === "audit"
    )
  );
  const last = plans.find(({ name }) => name === "eval")!;
  return {
    fraction: plans.find(({ name }) => name === "tokenize")!.params.audit_fraction,
    readers: readers.map(({ path }) => path),
    evaluated: Object.hasOwn(last.bindings, "audit"),
  };
}

const OWN = { base: "fixtures/stories260k", demonstrations: "fixtures/quickstart/demos.jsonl" };

Deno.test("align.yaml audits the result without a checker, and sets nothing aside with one", async () => {
  const align = "pipelines/align.yaml";
  assertEquals(auditOf(await planned(align, [], OWN)), {
    fraction: 0.2,
    readers: ["audit"],
    evaluated: true,
  });
  const none = { fraction: 0, readers: [], evaluated: false };
  const checker = "lib/app/deno_path.ts"; // any module: it is not loaded
  assertEquals(auditOf(await planned(align, [], { ...OWN, checker })), none);
  assertEquals(auditOf(await planned(align, ["eval.checker=contains"], OWN)), none);
  assertEquals(auditOf(await planned(align, ["tokenize.audit_fraction=0"], OWN)), none);
});

Deno.test("the quickstart sets nothing aside", async () => {
  assertEquals(auditOf(await planned("pipelines/quickstart.yaml")).fraction, 0);
});

/**
 * Tests that the documentation is correct where a program can check it: links, commands, flags, paths, names, and
 * generated parts.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dirname, join, normalize } from "node:path/posix";
import { PIPELINE_HELP } from "@/lib/app/pipeline_flags.ts";
import { projectRoot, stages as registry } from "@/lib/app/registry.ts";
import { manifestJsonSchema } from "@/lib/pipeline/engine/manifest.ts";
import { generatedPages, projectText } from "./generated.ts";
import { anchorsOf, codeOf, linksOf, namesUnder, table, tablesOf, withoutFences } from "./markdown.ts";

/** Returns the paths of the documentation: of the project, of docs, of every stage, of fixtures and of pipelines. */
function pages(): string[] {
  const inDocs = [...Deno.readDirSync(join(projectRoot, "docs"))].map(({ name }) => `docs/${name}`);
  const ofStages = [...Deno.readDirSync(join(projectRoot, "stages"))].map(({ name }) =>
    `stages/${name}/README.md`
  );
  const ofFixtures = [...Deno.readDirSync(join(projectRoot, "fixtures"))].map(({ name }) =>
    `fixtures/${name}/README.md`
  );
  return [
    "README.md",
    "CHANGELOG.md",
    "EXPERIMENTS.md",
    "pipelines/controls/README.md",
    ...inDocs,
    ...ofFixtures,
    ...ofStages,
  ].filter((path) => path.endsWith(".md") && exists(path)).sort();
}

function exists(path: string): boolean {
  try {
    Deno.statSync(join(projectRoot, path));
    return true;
  } catch {
    return false;
  }
}

/** Returns the complaints of `check` about every page, each with the page's path. */
function complaints(check: (text: string, path: string) => readonly string[]): string[] {
  return pages().flatMap((path) =>
    check(projectText(path), path).map((complaint) => `${path}: ${complaint}`)
  );
}

/** Returns the names of the tasks in the commands of `text`. */
function tasksIn(text: string): string[] {
  return [...text.matchAll(/\bdeno(?:@[\d.]+)? task (?:-q |--quiet )?([a-z][a-z:]*)/g)].map(([, name]) =>
    name!
  );
}

const tasks = Object.keys((JSON.parse(projectText("deno.json")) as { tasks: Record<string, unknown> }).tasks);

Deno.test("every relative link of the documentation points to an existing file and heading", () => {
  assertEquals(
    complaints((text, path) =>
      linksOf(text).flatMap((link) => {
        const target = link.path === "" ? path : normalize(join(dirname(path), link.path));
        if (!exists(target)) return [`there is no ${target}`];
        if (link.anchor === "" || anchorsOf(projectText(target)).has(link.anchor)) return [];
        return [`${target} has no heading #${link.anchor}`];
      })
    ),
    [],
  );
});

Deno.test("every task that the documentation names exists, and the README names every task", () => {
  assertEquals(
    complaints((text) =>
      tasksIn(text).filter((name) => !tasks.includes(name)).map((name) => `no task ${name}`)
    ),
    [],
  );
  const named = tasksIn(projectText("README.md"));
  assertEquals(tasks.filter((name) => !named.includes(name)), []);
});

Deno.test("every flag of deno task pipeline in an example exists", () => {
  const known = new Set(PIPELINE_HELP.match(/--[a-z-]+/g));
  const flagsOf = (text: string) =>
    (text.replaceAll(/\\\n\s*/g, " ").match(/\btask pipeline\b[^\n`]*/g) ?? []).flatMap((line) =>
      line.match(/--[a-z-]+/g) ?? []
    );
  assert(flagsOf(projectText("README.md")).length > 3);
  assertEquals(
    complaints((text) => flagsOf(text).filter((flag) => !known.has(flag) && flag !== "--help")),
    [],
  );
});

Deno.test("every path of the project in backticks exists", () => {
  assertEquals(
    complaints((text, path) =>
      path.startsWith("stages/")
        ? []
        : codeOf(text).filter((code) =>
          /^(lib|stages|tests|fixtures|pipelines|docs)\/[\w./-]+$/.test(code) && !exists(code)
        )
    ),
    [],
  );
});

Deno.test("stages.md and the table of rooms in architecture.md equal the output of deno task docs", async () => {
  for (const [path, text] of await generatedPages()) {
    assert(projectText(path) === text, `${path} is out of date: run deno task docs`);
  }
});

Deno.test("every parameter in a table of the documentation is one of a stage", async () => {
  const stages = await Promise.all((await registry.list()).map(registry.load));
  const known = new Set(stages.flatMap(({ params }) => Object.keys(params.shape)));
  assert(namesUnder(projectText("docs/stages.md"), "parameter").length > 40);
  assertEquals(complaints((text) => namesUnder(text, "parameter").filter((name) => !known.has(name))), []);
});

Deno.test("manifest.md describes every key of the JSON Schema, and no other", () => {
  const keys = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const { properties } = node as { properties?: Record<string, unknown> };
    for (const name of Object.keys(properties ?? {})) keys.add(name);
    for (const child of Object.values(node)) visit(child);
  };
  visit(manifestJsonSchema());
  assertEquals([...new Set(namesUnder(projectText("docs/manifest.md"), "key"))].sort(), [...keys].sort());
});

Deno.test("every metric in a table of the documentation is written by some stage", () => {
  const sources = [...Deno.readDirSync(join(projectRoot, "stages"))].flatMap(({ name }) =>
    [...Deno.readDirSync(join(projectRoot, "stages", name))]
      .filter((file) => /(?<!_test)\.ts$/.test(file.name)).map((file) =>
        projectText(`stages/${name}/${file.name}`)
      )
  );
  sources.push(projectText("lib/model/evals/words.ts"));
  const written = (metric: string) => sources.some((text) => new RegExp(`\\b${metric}\\b`).test(text));
  assert(namesUnder(projectText("docs/metrics.md"), "metric").length > 60);
  assertEquals(complaints((text) => namesUnder(text, "metric").filter((name) => !written(name))), []);
});

Deno.test("no page contains an absolute path of a machine", () => {
  assertEquals(
    complaints((text) => text.match(/(?<![\w.`])\/(?:home|Users|root|work|tmp)\/[\w.-]+/g) ?? []),
    [],
  );
});

Deno.test("linksOf() and anchorsOf() read Markdown as GitHub does", () => {
  const text =
    "# One: `two` & three\n\n[a](b.md#c) ![p](d.png) [w](https://x.y) `[n](o.md)`\n\n```\n[f](g.md)\n# no\n```\n";
  assertEquals(linksOf(text), [{ text: "a", path: "b.md", anchor: "c" }, {
    text: "p",
    path: "d.png",
    anchor: "",
  }]);
  assertEquals([...anchorsOf(text)], ["one-two--three"]);
  assert(!withoutFences(text).includes("g.md"));
});

Deno.test("tablesOf() reads what table() writes, bars in cells included", () => {
  assertEquals(tablesOf(`before\n\n${table(["a", "b"], [["`x`", "1|2"]])}\n\nafter`), [
    { headings: ["a", "b"], rows: [["`x`", "1\\|2"]] },
  ]);
});

Deno.test("tasksIn() finds tasks in sentences and commands", () => {
  assertEquals(
    tasksIn("`deno task test:kill`, npx -y deno@2.9.6 task pipeline x, deno task -q ok, deno task X"),
    [
      "test:kill",
      "pipeline",
      "ok",
    ],
  );
  assertThrows(() => projectText("docs/none.md"), Deno.errors.NotFound);
});

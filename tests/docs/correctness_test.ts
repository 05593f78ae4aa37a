/** Tests that docs/correctness.md names the parameter and the manifests of every recipe. @module */
import { assert, assertEquals } from "@std/assert";
import { stages as registry } from "@/lib/app/registry.ts";
import { projectText } from "./generated.ts";

/** Returns the number and the last cell of every recipe's row. */
function recipes(): { readonly number: number; readonly text: string }[] {
  return [...projectText("docs/correctness.md").matchAll(/^\| (\d+) \| .* \| recipe \| (.*) \|$/gm)]
    .map(([, number, text]) => ({ number: Number(number), text: text! }));
}

Deno.test("every recipe names its parameters, which exist, and the manifests that follow it", async () => {
  const stages = await Promise.all((await registry.list()).map(registry.load));
  const known = new Set(stages.flatMap(({ params }) => Object.keys(params.shape)));
  const problems = recipes().flatMap(({ number, text }) => {
    if (/^as statement \d+$/.test(text)) return [];
    const said = /^(?:as statement \d+: )?(?:no parameter|parameters? (.*?))(?=[;.] |$)/.exec(text);
    if (!said) return [`statement ${number} names no parameter`];
    const names = [...(said[1] ?? "").matchAll(/`([a-z]\w*)`/g)].map(([, name]) => name!);
    const foreign = names.filter((name) => !known.has(name) && !stages.some(({ id }) => id === name));
    return [
      ...(said[1] !== undefined && names.length === 0 ? [`statement ${number} names no parameter`] : []),
      ...foreign.map((name) => `statement ${number} names ${name}, which no stage has`),
      ...(/manifest|`pipelines\//.test(text) ? [] : [`statement ${number} names no manifest`]),
    ];
  });
  assertEquals(problems, []);
  assert(recipes().length > 20);
});

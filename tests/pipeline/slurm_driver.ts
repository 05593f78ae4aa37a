/** Runs the toy pipeline on a cluster as a program, for a test that kills it: the folder, which has options.json. @module */
import { join } from "node:path";
import { ToyProject } from "./toy.ts";

const [folder] = Deno.args as [string];
const toy = Object.create(ToyProject.prototype, { path: { value: folder } }) as ToyProject;
await toy.run({
  ...JSON.parse(Deno.readTextFileSync(join(folder, "options.json"))),
  listener: (event) => event.type === "stage_progress" && console.log(event.stage),
});

/**
 * An external reward endpoint as users call it: the pipeline and a stage alone reach the endpoint that a parameter names, and
 * nothing else; without the parameter there is no network.
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { hostOf, URL_TOKEN } from "@/lib/data/contracts/reached_hosts.ts";
import { writeReward } from "@/lib/data/contracts/reward_directory.ts";
import { writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { readScored } from "@/lib/data/contracts/scored.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { finish, type Finished, launch } from "@/tests/support/launch.ts";
import { type Judge, JudgeServer } from "@/tests/support/judge_server.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { ran, SmallQuickstart } from "./small_quickstart.ts";

const byLength: Judge = ({ rows }) => ({ rewards: rows.map(({ response }) => response.length / 7) });

Deno.test("a pipeline calls an endpoint once per iteration, and not again for cached iterations", async () => {
  using quickstart = new SmallQuickstart();
  await using judge = new JudgeServer(byLength);
  const flags = (
    path: string,
  ) => ["--set", "ppo.count=2", "--set", `ppo.score.external_url=${judge.url(path)}`];
  await quickstart.run("run", ...flags("/score"));
  assertEquals(judge.asked.map(({ path, rows }) => [path, rows.length]), [["/score", 16], ["/score", 16]]);
  assertEquals(ran(await quickstart.run("run", ...flags("/score"))), []);
  assertEquals(judge.asked.length, 2);
  // Another address is another reward; if it gives the same rewards, nothing downstream runs again.
  assertEquals(ran(await quickstart.run("run", ...flags("/score?version=2"))), [
    "ppo.score[0]",
    "ppo.score[1]",
  ]);
  assertEquals(judge.asked.slice(2).map(({ path }) => path), ["/score?version=2", "/score?version=2"]);
});

/** Writes responses of the tiny model and a reward directory; returns functions that score them. */
async function scoringIn(directory: TemporaryDirectory) {
  const model = join(projectRoot, "fixtures/stories260k"),
    paths = { rollouts: directory.file("rollouts.arrow") };
  const rows = ["a", "b", "c"].map((id, i) => ({
    id,
    promptId: id,
    sample: 0,
    promptIds: Int32Array.of(1, 403, 407),
    responseIds: Int32Array.from({ length: i + 2 }, (_, t) => 410 + t),
    logprobs: new Float32Array(i + 2).fill(-1),
    logprobsT1: null,
    finishReason: "length" as const,
    meta: "{}",
  }));
  await writeRollouts(paths.rollouts, { rows, tokenizerDigest: tokenizerDigest(model) });
  const reward = directory.file("reward");
  const place = (name: string) => {
    Deno.mkdirSync(join(reward, name), { recursive: true });
    for (const { name: file } of Deno.readDirSync(model)) {
      Deno.copyFileSync(join(model, file), join(reward, name, file));
    }
    return { path: name, digest: digestDirectory(join(reward, name)).digest };
  };
  writeReward(reward, {
    members: [place("members/0")],
    base: place("base"),
    combine: "mean",
    floor: null,
    eosBound: null,
    lengthNorm: "none",
    eosIds: [2],
    calibration: {},
  });
  const external = directory.write("judge.ts", "export const reward = (rows) => rows.map(() => 0);");
  const manifest = directory.write(
    "score.yaml",
    `inputs: { rollouts: ${paths.rollouts}, reward: ${reward}, sft: ${model}, external: null }
stages:
  score: { uses: score, in: { rollouts: inputs.rollouts, reward: inputs.reward, sft: inputs.sft, external: inputs.external } }
outputs: { scored: score.scored }
`,
  );
  let run = 0;
  return {
    external,
    /** Runs the manifest in a new folder. */
    pipeline: async (...flags: readonly string[]): Promise<Finished & { readonly scored: string }> => {
      const folder = directory.file(`run${run++}`);
      const finished = await finish(launch(["pipeline", manifest, "--run-dir", folder, ...flags]));
      return { ...finished, scored: join(folder, "outputs/scored.arrow") };
    },
    /** Runs the stage alone. */
    stage: async (...flags: readonly string[]): Promise<Finished & { readonly scored: string }> => {
      const scored = directory.file(`scored${run++}.arrow`), { rollouts } = paths;
      const given = [`--in.rollouts=${rollouts}`, `--in.reward=${reward}`, `--in.sft=${model}`];
      return {
        ...await finish(launch(["stage", "score", ...given, `--out.scored=${scored}`, ...flags])),
        scored,
      };
    },
  };
}

Deno.test("pipeline, process executor and stage alone reach the host of external_url, with its token and equal bytes", async () => {
  using directory = new TemporaryDirectory();
  await using judge = new JudgeServer(byLength);
  const { pipeline, stage } = await scoringIn(directory), set = `--set=score.external_url=${judge.url()}`;
  // The commands inherit it, and only processes that call the endpoint get it.
  Deno.env.set(URL_TOKEN, `${hostOf(judge.url())}=of-this-test`);
  const runs = [
    await pipeline(set),
    await pipeline(set, "--executor", "process"),
    await stage("--external-url", judge.url()),
  ];
  Deno.env.set(URL_TOKEN, "judge.example:443=of-another-host");
  runs.push(await stage("--external-url", judge.url()));
  Deno.env.delete(URL_TOKEN);
  for (const { code, err } of runs) assertEquals(code, 0, err);
  const tokens = judge.asked.map(({ headers }) => headers.get("Authorization"));
  assertEquals(tokens, [...new Array(3).fill("Bearer of-this-test"), null]);
  const [first, ...others] = runs.map(({ scored }) => Deno.readFileSync(scored));
  for (const bytes of others) assertEquals(bytes, first);
  const rewards = readScored(runs[0]!.scored).rows.map(({ rawReward }) => rawReward);
  assertEquals(rewards, judge.asked[0]!.rows.map(({ response }) => response.length / 7));
});

Deno.test("without external_url there is no network, and with it no other host", async () => {
  using directory = new TemporaryDirectory();
  await using judge = new JudgeServer(byLength);
  await using elsewhere = new JudgeServer(() =>
    new Response(null, { status: 307, headers: { Location: judge.url() } })
  );
  const { pipeline, stage, external } = await scoringIn(directory);
  // A module that calls the endpoint itself has the permissions of the run.
  Deno.writeTextFileSync(
    external,
    `export const reward = async (rows) => (await (await fetch("${judge.url()}")).json()).rewards;`,
  );
  const refused = `failed: Requires net access to "${judge.host}"`;
  for (const executor of ["inline", "process"]) {
    const { code, err } = await pipeline("--input", `external=${external}`, "--executor", executor);
    assertEquals(code, 65);
    assertStringIncludes(err, refused);
  }
  const redirected = await stage(`--external_url=${elsewhere.url()}`);
  assertEquals([redirected.code, redirected.err], [
    69,
    `Request to external reward ${elsewhere.url()} failed: got status 307, a redirect to ${judge.url()}, ` +
    "which is not followed\n",
  ]);
  assertEquals([judge.asked.length, elsewhere.asked.length], [0, 1]);
});

Deno.test("an address that does not name one host is refused before anything runs", async () => {
  using directory = new TemporaryDirectory();
  const { pipeline } = await scoringIn(directory);
  for (const address of ["http://*.example/", "http://127.0.0.1,example.org/", "judge.example:80"]) {
    const { code, err } = await pipeline(`--set=score.external_url="${address}"`);
    assertEquals(code, 64, err);
    assertStringIncludes(
      err,
      'parameter "external_url" must be an address that begins with http:// or https://',
    );
  }
});

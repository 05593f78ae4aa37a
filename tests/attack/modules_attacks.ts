/** Attacks by authors of user modules, of chat templates and of patterns. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { dirname } from "node:path";
import { shownText } from "@/lib/app/shown_text.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { readRunRequest } from "@/lib/app/run_request.ts";
import { openDataRoot } from "@/lib/app/data_root.ts";
import { stages } from "@/lib/app/registry.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { chatTemplate } from "@/lib/data/text/chat_template.ts";
import { loadChecker } from "@/lib/model/evals/load_checker.ts";
import { compilePattern } from "@/lib/model/evals/pattern.ts";
import { callWithAll, type UserModuleLimits } from "@/lib/model/evals/user_module.ts";
import { taskPermissions } from "@/lib/pipeline/executors/worker_command.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { Attack } from "./attack.ts";

const SHELL = 'Deno.dlopen("libc.so.6", { system: { parameters: ["buffer"], result: "i32" } })' +
  '.symbols.system(new TextEncoder().encode("true\\0"));';

/** Runs a checker with this body, and expects its failure. */
async function refuses(
  directory: TemporaryDirectory,
  body: string,
  message: RegExp,
  limits: UserModuleLimits = {},
): Promise<void> {
  const path = directory.write("check.ts", `export async function check() { ${body}; return { score: 1 }; }`);
  const check = await loadChecker(path, {}, limits);
  const error = await assertRejects(() => check([{ meta: {}, response: "", ended: true }]), DataError);
  assert(message.test(error.message), error.message);
}

/** What a module tries, and the permission that its process lacks. */
const REACHED = [
  ["a foreign function, and with it a shell", SHELL, "ffi"],
  ["a file", 'Deno.readTextFileSync("/etc/hostname")', "read"],
  ["the environment", "Deno.env.toObject()", "env"],
  ["the network", 'await fetch("http://127.0.0.1:8000/")', "net"],
  ["a subprocess", 'new Deno.Command("true").outputSync()', "run"],
  ["another process", "Deno.kill(Deno.ppid)", "run"],
  ["a place to write", 'Deno.writeTextFileSync("/tmp/attack", "")', "write"],
] as const;

const MODULES: readonly Attack[] = [
  ...REACHED.map(([what, body, permission]): Attack => ({
    name: `a checker does not reach ${what}`,
    run: (directory) => refuses(directory, body, new RegExp(`Requires ${permission} access`)),
  })),
  {
    name: "an external reward does not reach a foreign function",
    run: async (directory) => {
      const path = directory.write("reward.ts", `export function reward() { ${SHELL} return []; }`);
      const reward = { path, name: "reward", what: "external reward" };
      const error = await assertRejects(() => callWithAll(reward, []), DataError);
      assert(error.message.includes("Requires ffi access"), error.message);
    },
  },
  ...["https://example.com/a.js", "npm:zod", "jsr:@std/path"].map((from): Attack => ({
    name: `a module does not import ${from}`,
    run: async (directory) => {
      const path = directory.write(
        "check.ts",
        `import "${from}"; export const check = () => ({ score: 1 });`,
      );
      await assertRejects(() => loadChecker(path), UsageError);
    },
  })),
  {
    name: "an endless checker is stopped",
    run: (directory) => refuses(directory, "for (;;)", /must return within/, { batchMs: 400 }),
  },
  {
    name: "a checker that fills the memory is stopped",
    run: (directory) =>
      refuses(
        directory,
        "const all = []; for (;;) all.push(new Array(1e6).fill(Math.random()))",
        /must not end its process, got .* \(memory limit 1024 MiB\)/,
      ),
  },
  {
    name: "a checker that closes its output and continues computing is stopped",
    run: (directory) =>
      refuses(directory, '(await import("node:fs")).closeSync(1); for (;;)', /must/, { batchMs: 3000 }),
    slow: true,
  },
  {
    name: "a checker that writes to standard output does not forge another result",
    run: (directory) =>
      refuses(directory, '(await import("node:fs")).writeSync(1, \'{"value":[1,2]}\\n\')', /standard output/),
  },
  {
    name: "a killed stage takes its module along",
    slow: true,
    run: async (directory) => {
      const path = directory.write("check.ts", "export function check() { for (;;); }");
      const program = `import { loadChecker } from "${projectRoot}/lib/model/evals/load_checker.ts";
        const check = await loadChecker(${JSON.stringify(path)});
        console.log("ready"); await check([{ meta: {}, response: "", ended: true }]);`;
      const stage = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          `--config=${projectRoot}/deno.json`,
          directory.write("stage.ts", program),
        ],
        stdout: "piped",
      }).spawn();
      await stage.stdout.getReader().read();
      const count = async () => {
        const { stdout } = await new Deno.Command("pgrep", { args: ["-cf", `user_module_host.ts.*${path}`] })
          .output();
        return Number(new TextDecoder().decode(stdout));
      };
      const until = async (wanted: number) => {
        for (let k = 0; k < 100 && await count() !== wanted; k++) {
          await new Promise((done) => setTimeout(done, 100));
        }
        assertEquals(await count(), wanted);
      };
      await until(1);
      stage.kill("SIGKILL");
      await stage.status;
      await until(0);
    },
  },
  {
    name: "a stage without a module may start nothing",
    run: () => {
      const task = { version: 1, stage: "eval", seed: 0, iteration: 0, threads: 1 } as const;
      const flags = taskPermissions(
        { ...task, params: { checker: "words" }, inputs: {}, outputs: { evals: "/out/evals" } },
        "/task.json",
        { root: projectRoot, stages },
      );
      assertEquals(flags.filter((flag) => flag.startsWith("--allow-run")), []);
    },
  },
  {
    name: "the message of a module that fails has no absolute path over HTTP",
    run: async (directory) => {
      const root = openDataRoot(directory.path), checks = [{ meta: {}, response: "", ended: true }];
      const bodies = [
        'import "./missing.ts"; export const check = 1;',
        "export function check( {",
        "export const other = 1;",
        "export function check() { throw new Error(new Error(import.meta.url).stack); }",
        'export function check() { Deno.readTextFileSync("/etc/hostname"); }',
        'export function check() { console.log("no reply"); }',
        "export function check() { Deno.exit(1); }",
      ];
      for (const [k, body] of bodies.entries()) {
        const path = directory.write(`check${k}.ts`, body);
        const error = await assertRejects(async () => await (await loadChecker(path))(checks));
        const shown = shownText((error as Error).message, root);
        assert(shown.includes(`check${k}.ts`), shown);
        for (const place of [root.path, projectRoot, dirname(Deno.execPath()), "file://", "/etc/", "/tmp/"]) {
          assert(!shown.includes(place), `${place} in ${shown}`);
        }
      }
    },
  },
  {
    name: "an HTTP client does not bring a module",
    run: async (directory) => {
      const root = openDataRoot(directory.path);
      const requests = [
        ["eval", { inputs: { checker: "check.ts" } }],
        ["eval", { params: { checker: "/any/check.ts" } }],
        ["build-reward", { inputs: { checker: "check" } }],
        ["score", { inputs: { external: "reward.ts" } }],
        ["tokenize", { params: { checker: "check.mjs", select: "score" } }],
      ] as const;
      for (const [id, body] of requests) {
        const stage = await stages.load(id);
        const error = await assertRejects(() => readRunRequest(stage, body, root), UsageError);
        assert(error.message.includes("user modules are not allowed"), error.message);
      }
    },
  },
  {
    name: "a checker in a pipeline does not reach a foreign function, in either executor",
    slow: true,
    run: async (directory) => {
      const checker = directory.write(
        "check.ts",
        `export function check() { ${SHELL} return { score: 1 }; }`,
      );
      directory.write("prompts.jsonl", '{"id":"a","prompt":"Once upon"}\n');
      const manifest = directory.write(
        "run.yaml",
        `inputs: { model: ${projectRoot}/fixtures/stories260k, prompts: prompts.jsonl, checker: check.ts }
stages:
  tokenize: { uses: tokenize, in: { model: inputs.model, eval_prompts: inputs.prompts } }
  eval:
    uses: eval
    in: { models: { sft: inputs.model }, prompts: tokenize.eval_prompts, checker: inputs.checker }
    with: { max_new_tokens: 2 }
`,
      );
      for (const executor of ["inline", "process"]) {
        const run = directory.file(`runs/${executor}`);
        const { code, err } = await finish(
          launch(["pipeline", manifest, "--run-dir", run, "--executor", executor]),
        );
        assertEquals([code, err.includes(`checker ${checker} failed: Requires ffi access`)], [65, true], err);
      }
    },
  },
];

/** Templates that would never end, or fill the memory. */
const TEMPLATES = {
  "a loop of a billion": "{% for a in range(10**9) %}{% endfor %}",
  "nested loops": "{% for a in range(10**4) %}{% for b in range(10**4) %}x{% endfor %}{% endfor %}",
  "a doubled text":
    "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
  "a doubled list":
    "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}" +
    "{{ n.x | tojson }}",
};

const PATTERNS: readonly Attack[] = ["^(a+)+$", "^(a|a)*$", "(.*a){20}b", "(a?){500}a{500}"].map((
  pattern,
) => ({
  name: `the pattern ${pattern} takes linear time`,
  run: () => void compilePattern(pattern).test(`${"a".repeat(5000)}!`),
}));

/** The attacks. */
export const attacks: readonly Attack[] = [
  ...MODULES,
  ...Object.entries(TEMPLATES).map(([what, source]): Attack => ({
    name: `a chat template with ${what} ends`,
    run: () => {
      const template = chatTemplate(source, { name: "attack", specialTokens: {}, clock: new Date(0) });
      const error = assertThrows(() => template.render([{ role: "user", content: "a" }]), DataError);
      assert(error.message.startsWith("The chat template of attack must "), error.message);
    },
  })),
  ...PATTERNS,
];

/** Secrets of the user's shell, and variables that would stop or lead processes astray. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { projectRoot } from "@/lib/app/project_root.ts";
import { urlToken } from "@/lib/data/contracts/reached_hosts.ts";
import { childCommand } from "@/lib/data/files/child_command.ts";
import { BASE_ENVIRONMENT } from "@/lib/data/files/kept_environment.ts";
import { commandOf, finish } from "@/tests/support/launch.ts";
import { descendantsOf, environmentOf, eventually, startStuck } from "@/tests/support/stuck_processes.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { Attack } from "./attack.ts";

const SECRETS = {
  SRPPO_TOKEN: "secret",
  SRPPO_URL_TOKEN: "judge.example:443=secret",
  HF_TOKEN: "hf_secret",
  AWS_SECRET_ACCESS_KEY: "secret",
};

/** Starts a task with variables that only another program may give it: `LD_*` needs all permissions in Deno. */
function startUnder(variables: Readonly<Record<string, string>>, args: readonly string[]): Deno.ChildProcess {
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return childCommand("/usr/bin/env", [...settings, ...commandOf(args)], {
    cwd: projectRoot,
    set: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

function pipeline(directory: TemporaryDirectory, ...flags: readonly string[]): string[] {
  return ["pipeline", `--run-dir=${directory.file("run")}`, "--to=tokenize", ...flags];
}

/** Waits for the process of a stage below `pid`, and returns its environment. */
async function stageEnvironment(pid: number): Promise<Record<string, string>> {
  return await eventually(() => {
    const below = descendantsOf(pid).map((child) => environmentOf(child));
    // The launcher, its child and the stage.
    return below.length >= 2 && below[1]!.PATH !== undefined ? below[1] : undefined;
  }, "the process of a stage");
}

export const attacks: readonly Attack[] = [
  {
    name: "tokens and secrets of the shell do not reach the pipeline and its stages",
    async run(directory) {
      const { launcher, pids } = await startStuck(directory.file("run"), "process", { env: SECRETS });
      const extra = pids.map((pid) =>
        Object.keys(environmentOf(pid)).filter((name) =>
          !BASE_ENVIRONMENT.includes(name) && !name.startsWith("LOG_")
        )
      );
      const counts = pids.map((pid) => Object.keys(environmentOf(pid)).length > 0);
      launcher.kill("SIGKILL");
      await launcher.status;
      assertEquals([extra, counts], [[[], []], [true, true]]);
    },
  },
  {
    name: "LD_LIBRARY_PATH neither stops a pipeline nor reaches its stages",
    slow: true,
    async run(directory) {
      for (const executor of ["inline", "process"]) {
        const args = pipeline(directory, "--fresh", `--executor=${executor}`);
        const { code, err } = await finish(startUnder({ LD_LIBRARY_PATH: "/nowhere" }, args));
        assertEquals(code, 0, err);
      }
    },
  },
  {
    name: "a stage gets a variable of --keep-env and no other",
    slow: true,
    async run(directory) {
      const child = startUnder({ ...SECRETS, KEPT: "kept", LD_LIBRARY_PATH: "/nowhere" }, [
        ...pipeline(directory, "--executor=process", "--keep-env=KEPT"),
      ]);
      const environment = await stageEnvironment(child.pid);
      const { code, err } = await finish(child);
      assertEquals(code, 0, err);
      const names = Object.keys(environment).filter((name) => !BASE_ENVIRONMENT.includes(name));
      assertEquals([names, environment.KEPT], [["KEPT"], "kept"]);
    },
  },
  {
    name: "--keep-env of a library path, or of no name, is refused with exit code 64",
    async run(directory) {
      const args = pipeline(directory, "--keep-env=LD_PRELOAD", "--keep-env=A=B");
      const { code, err } = await finish(startUnder({}, args));
      assertEquals([code, err], [
        64,
        'Invalid flags (see --help): --keep-env must be a name of letters, digits and _, got "A=B"; ' +
        '--keep-env must not begin with LD_ or DYLD_, got "LD_PRELOAD"\n',
      ]);
    },
  },
  {
    name: "SRPPO_URL_TOKEN is sent to its own host only",
    run() {
      const text = "judge.example:443=secret=1";
      assertEquals(urlToken(text, "https://judge.example/score"), "secret=1");
      for (
        const other of [
          "https://judge.example:444/score",
          "http://judge.example/score",
          "https://judge.example.evil.example/",
          "https://evil.example/?judge.example:443",
        ]
      ) assertEquals(urlToken(text, other), undefined, other);
    },
  },
  {
    name: "a bare SRPPO_URL_TOKEN is refused with a hint before anything runs, and is not shown",
    async run(directory) {
      const args = [
        "--in.rollouts=a",
        "--in.reward=b",
        "--in.sft=c",
        `--out.scored=${directory.file("d.arrow")}`,
      ];
      const { code, err } = await finish(
        startUnder({ SRPPO_URL_TOKEN: "hunter2" }, [
          "stage",
          "score",
          "--external-url=http://127.0.0.1:9/",
          ...args,
        ]),
      );
      assertEquals([code, err.includes("hunter2")], [64, false]);
      assertMatch(err, /^SRPPO_URL_TOKEN must be HOST:PORT=TOKEN, /);
    },
  },
];

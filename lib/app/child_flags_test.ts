import { assertEquals } from "@std/assert";
import { CHILD_FLAGS, keepEnvProblems, keptByFlag, readChildFlags, takeChildFlags } from "./child_flags.ts";
import { readFlags } from "./flags.ts";

Deno.test("takeChildFlags() separates the flags for processes from those of the stage", () => {
  assertEquals(
    takeChildFlags(["score", "--grace", "5", "--beta", "1", "--keep-env=A", "--grace=6", "--keep-env"]),
    {
      rest: ["score", "--beta", "1"],
      taken: ["--grace", "5", "--keep-env=A", "--grace=6", "--keep-env"],
    },
  );
});

Deno.test("readChildFlags() has defaults and adds a problem for every wrong value", () => {
  const read = (...args: string[]) => {
    const flags = readFlags(args, CHILD_FLAGS);
    return { ...readChildFlags(flags), problems: flags.problems };
  };
  assertEquals(read(), { grace: 25, keepEnv: [], problems: [] });
  assertEquals(read("--grace=3", "--keep-env", "A", "--keep-env=B"), {
    grace: 3,
    keepEnv: ["A", "B"],
    problems: [],
  });
  assertEquals(read("--grace=0", "--keep-env=A B").problems, [
    '--keep-env must be a name of letters, digits and _, got "A B"',
    '--grace must be an integer from 1 to 86400, got "0"',
  ]);
  assertEquals(keepEnvProblems(["ld_preload", "DYLD_X"]), [
    '--keep-env must not begin with LD_ or DYLD_, got "ld_preload", "DYLD_X"',
  ]);
});

Deno.test("keptByFlag() returns the variables that are set", async () => {
  Deno.env.set("SRPPO_OF_THIS_TEST", "x=1");
  assertEquals(await keptByFlag(["SRPPO_OF_THIS_TEST", "SRPPO_NOT_SET"]), { SRPPO_OF_THIS_TEST: "x=1" });
  Deno.env.delete("SRPPO_OF_THIS_TEST");
});

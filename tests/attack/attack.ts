/**
 * Attacks and faults that the program must withstand. Each file `<topic>_attacks.ts` of this folder exports a list `attacks`;
 * `attack_command.ts` runs all of them, `attack_test.ts` those that take little time.
 * @module
 */
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

/** One attack or fault, and the check that it is withstood. */
export interface Attack {
  /** what is tried and what must happen, in one line */
  readonly name: string;
  /** true for attacks that take more than about two seconds: they run in `deno task test:attack` only */
  readonly slow?: boolean;
  /** throws if the attack succeeds */
  readonly run: (directory: TemporaryDirectory) => Promise<void> | void;
}

/** Loads the attacks of all files of this folder, with the topic of each, sorted by topic. */
export async function allAttacks(): Promise<{ readonly topic: string; readonly attack: Attack }[]> {
  const folder = new URL("./", import.meta.url);
  const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.endsWith("_attacks.ts")
  );
  const lists = await Promise.all(
    files.sort().map(async (name) => {
      const { attacks }: { attacks: readonly Attack[] } = await import(new URL(name, folder).href);
      return attacks.map((attack) => ({ topic: name.replace(/_attacks\.ts$/, ""), attack }));
    }),
  );
  return lists.flat();
}

/** Runs an attack in a fresh directory. */
export async function tryAttack({ run }: Attack): Promise<void> {
  using directory = new TemporaryDirectory();
  await run(directory);
}

/**
 * How this program starts another: with an environment of listed names only, and on Linux under
 * `setpriv --pdeathsig KILL`, so that the kernel ends the child when this process ends, however it ends and whatever the
 * child is doing.
 * @module
 */
import { BASE_ENVIRONMENT, readEnvironment } from "./kept_environment.ts";

/** Where Debian, Alpine and Fedora have setpriv. */
const FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** What a child gets beside its arguments. */
export interface ChildOptions extends Pick<Deno.CommandOptions, "cwd" | "stdin" | "stdout" | "stderr"> {
  /** names of environment variables that it gets beside the base list */
  readonly keep?: readonly string[];
  /** variables with their values */
  readonly set?: Readonly<Record<string, string>>;
}

/** Returns the absolute paths where setpriv is installed, as far as this process can see. */
export function installedSetpriv(): string[] {
  return Deno.build.os === "linux" ? FOLDERS.map((folder) => `${folder}/setpriv`).filter(isThere) : [];
}

/** Returns the programs that a process must be allowed to start in order to start Deno by {@linkcode childCommand}. */
export function childPrograms(): string[] {
  const setpriv = startableSetpriv();
  return [Deno.execPath(), ...(setpriv === undefined ? [] : [setpriv])];
}

/** Returns a command that runs `program`, ends with this process, and has the variables of the base list and of `options`. */
export function childCommand(
  program: string,
  args: readonly string[],
  { keep = [], set = {}, ...options }: ChildOptions = {},
): Deno.Command {
  const setpriv = startableSetpriv();
  const [first, ...rest] = [
    ...(setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL"]),
    program,
    ...args,
  ];
  const env = { ...readEnvironment([...BASE_ENVIRONMENT, ...keep]), ...set };
  return new Deno.Command(first!, { ...options, args: rest, clearEnv: true, env });
}

/** Sends a signal to a child, which may have ended by itself. */
export function sendSignal(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended.
  }
}

function startableSetpriv(): string | undefined {
  return installedSetpriv().find((path) =>
    Deno.permissions.querySync({ name: "run", command: path }).state === "granted"
  );
}

/** A process that may not look was allowed to start the program by one that has looked. */
function isThere(path: string): boolean {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return true;
  try {
    // The setpriv of busybox has no --pdeathsig.
    return Deno.statSync(path).isFile && !Deno.realPathSync(path).endsWith("/busybox");
  } catch {
    return false;
  }
}

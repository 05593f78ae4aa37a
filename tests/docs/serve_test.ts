/** Tests that the commands of docs/serve.md do what the page shows, word for word but for the port and the directory. @module */
import { assert, assertEquals } from "@std/assert";
import { projectRoot } from "@/lib/app/project_root.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { projectText } from "./generated.ts";

/** Returns the commands of a block with `$ ` before each, and what follows each. */
function commandsOf(block: string): { readonly command: string; readonly shown: string }[] {
  return block.split(/^\$ /m).slice(1).map((part) => {
    const lines = part.split("\n");
    const isOpen = (text: string) => text.endsWith("\\") || text.split("'").length % 2 === 0;
    let length = 1;
    while (isOpen(lines.slice(0, length).join("\n"))) length++;
    return { command: lines.slice(0, length).join("\n"), shown: lines.slice(length).join("\n").trim() };
  });
}

/** Starts a command of the page in a shell. */
function start(command: string, env: Record<string, string> = {}): Deno.ChildProcess {
  const settings = {
    cwd: projectRoot,
    env: { NO_COLOR: "1", ...env },
    stderr: "null",
    stdout: "piped",
  } as const;
  return new Deno.Command("bash", { args: ["-c", command], ...settings }).spawn();
}

/** Returns the first line that a process prints. */
async function firstLine(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0]!;
}

/** Returns what a curl command of the page prints; a machine without curl sends the same request with fetch(). */
async function responseOf(command: string): Promise<string> {
  const { code, stdout } = await start(command).output();
  if (code !== 127) return new TextDecoder().decode(stdout);
  const quoted = (flag: string) =>
    [...command.matchAll(new RegExp(`${flag} '([^']*)'`, "g"))].map(([, x]) => x!);
  const headers = quoted("-H").map((header) => header.split(": ") as [string, string]);
  const [, address] = /-X POST (\S+)/.exec(command)!;
  const request = { method: "POST", headers, body: quoted("-d")[0]! };
  return await (await fetch(`http://${address}`, request)).text();
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Compares a text with the page, where `…` stands for any text and every number for any number. */
function assertShown(found: string, shown: string): void {
  const parts = shown.split(/…|\d+(?:\.\d+)?/).map((part) => RegExp.escape(part));
  assert(new RegExp(`^${parts.join("[^\\n]*?")}$`).test(found.trim()), `${found}\nis not\n${shown}`);
}

Deno.test("the commands of docs/serve.md, copied from the page, do what it shows", async () => {
  using dir = new TemporaryDirectory();
  const port = freePort();
  const [, block] = /```\n(\$ mkdir.*?)```/s.exec(projectText("docs/serve.md"))!;
  const commands = commandsOf(block!).map(({ command, shown }) => ({
    command: command.replaceAll(/(?<= )data(?=[/ ]|$)/g, dir.path).replaceAll("8000", String(port)),
    shown: shown.replaceAll("8000", String(port)),
  }));
  assertEquals(commands.length, 3);
  const [copy, serve, curl] = commands as [typeof commands[0], typeof commands[0], typeof commands[0]];
  assert((await start(copy!.command).output()).success);
  const server = start(serve!.command, { PORT: String(port) });
  try {
    assertShown((await firstLine(server.stdout)).replace(dir.path, "/…/data"), serve!.shown);
    assertShown(await responseOf(curl!.command), curl!.shown);
    assert([...Deno.readDirSync(dir.path)].some(({ name }) => name === "train.arrow"));
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
});

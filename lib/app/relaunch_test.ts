import { assertEquals, assertThrows } from "@std/assert";
import { pathToFileURL } from "node:url";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { permissionFlags, relaunch } from "./relaunch.ts";

Deno.test("permissionFlags() grants what is named and nothing else", () => {
  assertEquals(permissionFlags({ read: ["/a", "/b c"], write: [] }), [
    "--no-prompt",
    "--allow-read=/a,/b c",
  ]);
  assertEquals(
    permissionFlags({ read: [], write: ["/w"], net: ["127.0.0.1:80"], env: ["PORT"], ffi: true }),
    [
      "--no-prompt",
      "--allow-write=/w",
      "--allow-net=127.0.0.1:80",
      "--allow-env=PORT",
      "--allow-ffi",
    ],
  );
  const error = assertThrows(
    () => permissionFlags({ read: ["/a,b", "/c"], write: ["/d,", "/a,b"] }),
    UsageError,
  );
  assertEquals(error.message, "Paths must not contain a comma, got /a,b; /d,");
});

Deno.test("relaunch() gives the exit code of a module that may write to one folder and start nothing", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const granted = `${dir}/may write`;
    await Deno.mkdir(granted);
    const module = `${dir}/probe.ts`;
    await Deno.writeTextFile(
      module,
      `const [granted, refused] = Deno.args;
       Deno.writeTextFileSync(granted + "/x", "x");
       const tries = [
         () => Deno.writeTextFileSync(refused + "/x", "x"),
         () => Deno.readTextFileSync("/etc/hostname"),
         () => Deno.env.get("HOME"),
         () => new Deno.Command(Deno.execPath()).outputSync(),
         () => Deno.listen({ port: 0 }),
       ];
       let count = 0;
       for (const attempt of tries) try { attempt(); } catch (error) { if (error instanceof Deno.errors.NotCapable) count++; }
       Deno.exit(40 + count);`,
    );
    const url = pathToFileURL(module);
    assertEquals(await relaunch(url, [granted, dir], { read: [granted], write: [granted] }), 45);
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["may write", "probe.ts"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

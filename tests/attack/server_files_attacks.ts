/** Attacks on the HTTP server by requests that name harmful locations, and races for the outputs of a run. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import {
  COPY_REQUEST,
  sendCopy,
  sendRaw,
  withAttackedServer as withServer,
} from "@/tests/support/attacked_server.ts";
import { symlink } from "@/tests/support/symlink.ts";
import type { Attack } from "./attack.ts";

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => name !== ".srppo").sort();
}

/** All attacks on the files of the server. */
export const attacks: readonly Attack[] = [
  {
    name: "an output that another program writes meanwhile is not overwritten, and no part of the set stays",
    run: async (dir) => {
      for (
        const [kind, place] of [["file", "copy.txt"], ["file", "folder"], ["folder", "copy.txt"], [
          "folder",
          "folder",
        ]]
      ) {
        const path = dir.file(`data/${place}`);
        let isBlocked = true;
        const meanwhile = () => {
          if (!isBlocked) return;
          if (kind === "folder") Deno.mkdirSync(path);
          else Deno.writeTextFileSync(path, "mine");
        };
        await withServer(dir, async (port, data) => {
          const { text } = await sendCopy(port, COPY_REQUEST);
          assertStringIncludes(text, `Outputs must not appear while copy runs, got \\"${place}\\"`);
          assertEquals(namesIn(data), [place, "rows.txt"].sort());
          if (kind === "file") assertEquals(Deno.readTextFileSync(path), "mine");
          // The same request is possible again as soon as the location is.
          isBlocked = false;
          Deno.removeSync(path);
          assertStringIncludes((await sendCopy(port, COPY_REQUEST)).text, "event: finished");
          assertEquals(namesIn(data), ["copy.txt", "folder", "rows.txt"]);
        }, { meanwhile });
        Deno.removeSync(dir.file("data"), { recursive: true });
      }
    },
  },
  {
    name:
      "a server that is killed while it moves outputs leaves no half that refuses the same request for ever",
    run: (dir) =>
      withServer(dir, async (port, data) => {
        const moves = ["copy.txt", "folder"].map((name) => ({
          from: `${data}/.${name}.0123abcd.partial/outputs/${name}`,
          to: `${data}/${name}`,
        }));
        for (const { from } of moves) {
          Deno.mkdirSync(dirname(from), { recursive: true });
          Deno.writeTextFileSync(join(dirname(dirname(from)), "publishing.json"), JSON.stringify(moves));
        }
        Deno.writeTextFileSync(moves[0]!.from, "half");
        Deno.linkSync(moves[0]!.from, moves[0]!.to);
        Deno.mkdirSync(moves[1]!.from);
        assertStringIncludes((await sendCopy(port, COPY_REQUEST)).text, "event: finished");
        assertEquals(Deno.readTextFileSync(moves[0]!.to), "a private row");
        assertEquals(namesIn(data), ["copy.txt", "folder", "rows.txt"]);
      }),
  },
  {
    name: "outputs inside each other, below a file or inside an input are refused before anything runs",
    run: (dir) =>
      withServer(dir, async (port, data) => {
        Deno.mkdirSync(`${data}/model/part`, { recursive: true });
        symlink("model", `${data}/link`);
        const refused = [
          [{ copy: "new/a", folder: "new" }, '\\"new/a\\" is below outputs.folder \\"new\\"'],
          [{ copy: "rows.txt/a", folder: "b" }, 'is below the file \\"rows.txt\\"'],
          [{ copy: "model/a", folder: "b" }, 'is below inputs.model \\"model\\"'],
          [{ copy: "b", folder: "model/part/a" }, 'is below inputs.model \\"model\\"'],
          [{ copy: "link/a", folder: "b" }, 'is below inputs.model \\"model\\"'],
          [{ copy: "other/../b", folder: "b" }, "every port must have its own location"],
        ] as const;
        for (const [outputs, message] of refused) {
          const inputs = { ...COPY_REQUEST.inputs, model: "model" };
          const { status, text } = await sendCopy(port, { inputs, outputs });
          assertEquals(status, 400, text);
          assertStringIncludes(text, message);
        }
        assertEquals(namesIn(data), ["link", "model", "rows.txt"]);
      }),
  },
  {
    name: "60,000 patterns in one request are refused at once",
    run: (dir) =>
      withServer(dir, async (port) => {
        const text = Array.from({ length: 60_000 }, (_, i) => `**/x${i}*`);
        const { status, text: response } = await sendCopy(port, { ...COPY_REQUEST, inputs: { text } });
        assertEquals(status, 400);
        assertStringIncludes(response, "a request must have at most 1000 locations, got 60002");
      }),
  },
  {
    name: "patterns that take long do not silence the server",
    slow: true,
    run: (dir) =>
      withServer(dir, async (port, data) => {
        for (let i = 0; i < 500; i++) Deno.mkdirSync(`${data}/${i % 20}/${i}`, { recursive: true });
        const order: string[] = [];
        const text = Array.from({ length: 998 }, (_, i) => `**/*/x${i}*`);
        const slow = sendCopy(port, { ...COPY_REQUEST, inputs: { text } }).then(({ status }) => {
          order.push("patterns");
          assert(status === 400 || status === 422);
        });
        await new Promise((resolve) => setTimeout(resolve, 200));
        const { status } = await sendRaw(port, "GET", "/healthz", { Host: "x" });
        order.push("health");
        assertEquals(status, 200);
        await slow;
        assertEquals(order, ["health", "patterns"]);
      }),
  },
  {
    name:
      "links in a model directory that lead outside the data root, to devices or nowhere, and pipes are refused",
    run: (dir) =>
      withServer(dir, async (port, data) => {
        dir.write("secret.txt", "secret");
        const targets = { "out": "../../secret.txt", "zero": "/dev/zero", "up": "../..", "none": "nothing" };
        for (const [name, target] of Object.entries(targets)) {
          Deno.mkdirSync(`${data}/${name}`);
          symlink(target, `${data}/${name}/model.safetensors`);
          const inputs = { ...COPY_REQUEST.inputs, model: name };
          const { status, text } = await sendCopy(port, { ...COPY_REQUEST, inputs });
          assertEquals(status, 400, text);
          assertStringIncludes(text, `\\"${name}/model.safetensors\\" is a link `);
        }
        Deno.mkdirSync(`${data}/pipe`);
        assert(
          new Deno.Command("bash", { args: ["-c", `mkfifo '${data}/pipe/config.json'`] }).outputSync()
            .success,
        );
        for (const place of ["pipe", "pipe/config.json"]) {
          const inputs = { ...COPY_REQUEST.inputs, model: place };
          const { status, text } = await sendCopy(port, { ...COPY_REQUEST, inputs });
          assertEquals(status, 400);
          assertStringIncludes(text, '\\"pipe/config.json\\" is neither a file nor a directory');
        }
        // Links within the data root are read, also those that form a cycle.
        Deno.mkdirSync(`${data}/inside/deep`, { recursive: true });
        symlink("../rows.txt", `${data}/inside/file`);
        for (const name of ["again", "more"]) symlink("..", `${data}/inside/deep/${name}`);
        const inputs = { ...COPY_REQUEST.inputs, model: "inside" };
        assertEquals((await sendCopy(port, { ...COPY_REQUEST, inputs })).status, 200);
      }),
  },
  {
    name: "no response and no line of the log has an absolute path, the token or a password",
    run: async (dir) => {
      const token = "a-token-that-nobody-knows";
      await withServer(dir, async (port, data, log) => {
        Deno.writeTextFileSync(`${data}/fail.txt`, `fail with ${token} at http://me:word@judge.example/x`);
        const headers = {
          "Host": `127.0.0.1:${port}`,
          "Content-Type": "application/json",
          "Authorization": `Bearer ${token}`,
        };
        const names = (text: string[]) => JSON.stringify({ ...COPY_REQUEST, inputs: { text } });
        const responses = await Promise.all([
          sendRaw(port, "GET", "/stages", headers),
          sendRaw(port, "POST", "/stages/copy", headers, names(["fail.txt"])),
          sendRaw(
            port,
            "POST",
            "/stages/copy",
            headers,
            names(["none", "no*.txt", "{a,b}/c*", "/etc/passwd"]),
          ),
          sendRaw(port, "POST", "/stages/copy", headers, names([`{${"a,".repeat(6000)}}`])),
          sendRaw(port, "POST", "/stages/copy", headers, names(["rows.txt/x", "no*"])),
        ]);
        const failed = responses[1]!.text;
        assertStringIncludes(failed, "No space: fail.txt, copy.txt, (.srppo/scratch/");
        assertStringIncludes(failed, `and …/${Deno.execPath().split("/").at(-1)} fail with [secret]`);
        assertStringIncludes(failed, "http://judge.example/x");
        for (const text of [...responses.map((each) => each.text), ...log.slice(1)]) {
          for (const secret of [data, dir.path, projectRoot, dirname(Deno.execPath()), token, "me:word"]) {
            assert(!text.includes(secret), `${secret} in ${text}`);
          }
        }
      }, { token });
    },
  },
];

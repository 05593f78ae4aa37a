/**
 * The process of a run in the background: starts the pipeline as the launcher does, passes signals on, and writes the output
 * to a log. It has no terminal and no parent.
 * @module
 */
import { dirname } from "node:path";
import type { DetachedCommand } from "./detach.ts";
import { relaunch } from "./relaunch.ts";

const { module, args, permissions, options, log }: DetachedCommand = JSON.parse(
  await new Response(Deno.stdin.readable).text(),
);
Deno.mkdirSync(dirname(log), { recursive: true });
Deno.exit(await relaunch(new URL(module), args, permissions, { ...options, log }));

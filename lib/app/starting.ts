/**
 * Interrupts while a command is still loading: without a listener, the system's default would end it with another exit code
 * than an interruption has. This module imports nothing, so that it runs first.
 * @module
 */

let handle: (signal: Deno.Signal) => void = () => Deno.exit(75);

/** Ends this process with exit code 75 at SIGINT and SIGTERM, until `hasStarted()`. */
export function endWhileStarting(): void {
  Deno.addSignalListener("SIGINT", () => handle("SIGINT"));
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => handle("SIGTERM"));
}

/** Gives these signals to `then` from now on, those that were received but not handled included. */
export function hasStarted(then: (signal: Deno.Signal) => void): void {
  handle = then;
}

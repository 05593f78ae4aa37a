/**
 * User modules: code of a user that a stage runs in a process of its own (`lib/model/evals/user_module.ts`). Launcher, process
 * executor and server share the rule by which a run has one, so that only such a run may start that process.
 * @module
 */
import { confiningPrograms } from "@/lib/data/files/confining_programs.ts";
import { isModulePath } from "@/lib/data/files/module_path.ts";

/** Input ports whose file is a module, and parameters that may be the path of one. */
const MODULE_PORTS = ["checker", "external"], MODULE_PARAMETERS = ["checker"];

/** Returns the inputs and parameters of a run that are modules: `inputs.checker`, `params.checker`. */
export function usedModules(
  inputs: Readonly<Record<string, unknown>>,
  params: Readonly<Record<string, unknown>>,
): string[] {
  const ports = MODULE_PORTS.filter((name) => Object.hasOwn(inputs, name) && (inputs[name] ?? null) !== null);
  const parameters = MODULE_PARAMETERS.filter((name) => {
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    return typeof value === "string" && isModulePath(value);
  });
  return [...ports.map((name) => `inputs.${name}`), ...parameters.map((name) => `params.${name}`)];
}

/** Returns what a stage with a module may read and start beside its own permissions: the programs that confine the module. */
export function modulePermissions(): { readonly read: readonly string[]; readonly run: readonly string[] } {
  const programs = confiningPrograms();
  return programs
    ? { read: [programs.setpriv, programs.prlimit], run: [programs.setpriv] }
    : { read: [], run: [] };
}

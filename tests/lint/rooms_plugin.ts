/**
 * Lint rules that keep the rooms apart: the import table, the form of import paths, the owners of external packages,
 * the grammar of error messages, docstrings,
 * and the length and name of files. The tables stand in `rooms.ts`.
 * @module
 */
import { fileURLToPath } from "node:url";
import { messageProblem } from "./messages.ts";
import { isTest, roomOf, tableKey, targetOf } from "./room_of.ts";
import { type Allowed, EMPTY_NAMES, LONG_FILES, MAX_LINES, OWNERS, ROOMS, TEST_PACKAGES } from "./rooms.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url)).replaceAll("\\", "/");

/** The linted file's path from the root of the project. */
function pathOf(context: Deno.lint.RuleContext): string {
  const name = context.filename.replaceAll("\\", "/");
  return name.startsWith(ROOT) ? name.slice(ROOT.length) : name.replace(/^\.\//, "");
}

/** Visits every place where a specifier is written out: imports, re-exports, `import()` and import types. */
function onImport(
  context: Deno.lint.RuleContext,
  problemOf: (specifier: string, path: string) => string | undefined,
): Deno.lint.LintVisitor {
  const path = pathOf(context);
  function check(node: Deno.lint.Node | null): void {
    if (node?.type !== "Literal" || typeof node.value !== "string") return;
    const message = problemOf(node.value, path);
    if (message !== undefined) context.report({ node, message });
  }
  return {
    ImportDeclaration: (node) => check(node.source),
    ExportNamedDeclaration: (node) => check(node.source),
    ExportAllDeclaration: (node) => check(node.source),
    ImportExpression: (node) => check(node.source),
    TSImportType: (node) => check(node.argument.type === "TSLiteralType" ? node.argument.literal : null),
  };
}

function allows(allowed: Allowed, name: string): boolean {
  return "allBut" in allowed ? !allowed.allBut.includes(name) : allowed.includes(name);
}

function spell(allowed: Allowed): string {
  if (!("allBut" in allowed)) {
    return allowed.length > 0 ? allowed.map((name) => `lib/${name}`).join(", ") : "no other room";
  }
  return allowed.allBut.length > 0 ? `any lib but ${allowed.allBut.join(", ")}` : "any lib";
}

/** Why the file at `path` may not import `specifier`, by the table of rooms. */
function roomProblem(specifier: string, path: string): string | undefined {
  const from = roomOf(path);
  const target = targetOf(specifier, path);
  if (from === undefined || !("path" in target)) return undefined;
  const to = roomOf(target.path);
  if (to === undefined || to === from) return undefined;
  const allowed = ROOMS[tableKey(from)];
  if (allowed === undefined) return `Cannot place ${from} as tests/lint/rooms.ts has no row for it`;
  if (to.startsWith("stages/")) {
    return from === "tests" || from === "lib/app"
      ? undefined
      : `Cannot import ${to} from ${from} as stages meet through files only: move what both need to a lib or a contract`;
  }
  if (to.startsWith("lib/std/")) {
    return `Cannot import ${to} by its path as it stands in for a package: write "@std/${
      to.slice("lib/std/".length)
    }"`;
  }
  if (to === "tests") return isTest(path) ? undefined : `Cannot import tests from ${from} as only tests may`;
  if (isTest(path)) return undefined;
  return to.startsWith("lib/") && allows(allowed, to.slice("lib/".length))
    ? undefined
    : `Cannot import ${to} from ${from} as it may import ${spell(allowed)}`;
}

/** What is wrong with the way `specifier` is written. */
function formProblem(specifier: string, path: string): string | undefined {
  const target = targetOf(specifier, path);
  if (target.kind === "url") {
    return `Cannot import "${specifier}" as code comes from packages of the import map only`;
  }
  if (target.kind === "package" && !target.bare) {
    return `Cannot import "${specifier}" as versions stand in deno.json: write "${target.name}"`;
  }
  if (target.kind === "relative" && roomOf(target.path) !== roomOf(path)) {
    return `Cannot import "${specifier}" as relative paths stay inside a room: write "@/${target.path}"`;
  }
  if ("path" in target && !/\.[a-z]+$/.test(target.path)) {
    return `Cannot import "${specifier}" as a path must name a file with its ending`;
  }
  return undefined;
}

/** Why the file at `path` may not import the external package `specifier`. */
function ownerProblem(specifier: string, path: string): string | undefined {
  const from = roomOf(path);
  const target = targetOf(specifier, path);
  if (from === undefined || target.kind !== "package" || isTest(path)) return undefined;
  if (TEST_PACKAGES.includes(target.name)) {
    return `Cannot import "${target.name}" from ${from} as only tests may`;
  }
  const owners = OWNERS[target.name];
  if (owners === undefined) {
    return `Cannot import "${target.name}" from ${from} as every package needs an owner: name it in tests/lint/rooms.ts`;
  }
  return owners.includes(tableKey(from))
    ? undefined
    : `Cannot import "${target.name}" from ${from} as it belongs to ${owners.join(", ")}`;
}

/** The plugin that deno.json names under `lint.plugins`. */
const plugin: Deno.lint.Plugin = {
  name: "rooms",
  rules: {
    "imports": { create: (context) => onImport(context, roomProblem) },
    "paths": { create: (context) => onImport(context, formProblem) },
    "owners": { create: (context) => onImport(context, ownerProblem) },
    "messages": {
      create(context) {
        const path = pathOf(context);
        if (isTest(path) || roomOf(path) === undefined || path.startsWith("lib/std/")) return {};
        return {
          "ThrowStatement > NewExpression"(node: Deno.lint.NewExpression) {
            const message = messageProblem(node);
            if (message !== undefined) context.report({ node, message });
          },
        };
      },
    },
    "docs": {
      create(context) {
        const path = pathOf(context);
        if (isTest(path) || !/^(lib|stages)\//.test(path)) return {};
        function check(node: Deno.lint.ExportNamedDeclaration | Deno.lint.ExportDefaultDeclaration): void {
          if (node.type === "ExportNamedDeclaration" && node.declaration === null) return;
          const last = context.sourceCode.getCommentsBefore(node).filter((c) => c.value.startsWith("*")).at(
            -1,
          );
          if (last !== undefined && !last.value.includes("@module")) return;
          const line = context.sourceCode.getText(node).split("\n", 1)[0]?.replace(/ *[{=(<].*$/, "");
          context.report({
            node,
            message: `Cannot export without a docstring as readers start there: "${line}"`,
          });
        }
        return {
          Program(node) {
            if (context.sourceCode.getAllComments()[0]?.value.includes("@module")) return;
            context.report({
              node,
              message: `Cannot keep ${path} as a file opens with a /** … @module */ paragraph`,
            });
          },
          ExportNamedDeclaration: check,
          ExportDefaultDeclaration: check,
        };
      },
    },
    "files": {
      create: (context) => ({
        Program(node) {
          const path = pathOf(context);
          const stem = path.slice(path.lastIndexOf("/") + 1).replace(/\.[jt]sx?$/, "");
          const lines = context.sourceCode.text.split("\n").length -
            (context.sourceCode.text.endsWith("\n") ? 1 : 0);
          if (lines > MAX_LINES && LONG_FILES[path] === undefined) {
            context.report({
              node,
              message: `Cannot keep ${path} as files end at ${MAX_LINES} lines: it has ${lines}`,
            });
          }
          if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(stem) && !path.startsWith("stages/")) {
            context.report({ node, message: `Cannot keep ${path} as file names are snake_case: "${stem}"` });
          }
          if (EMPTY_NAMES.includes(stem)) {
            context.report({
              node,
              message: `Cannot keep ${path} as a name says what is inside: "${stem}" does not`,
            });
          }
        },
      }),
    },
  },
};

export default plugin;

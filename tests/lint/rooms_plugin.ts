/**
 * Lint rules of this project: which room may import which, the form of import paths, the owners of external packages, the
 * grammar of error messages, docstrings, the length of functions, and the length and name of files. The tables are in
 * `rooms.ts`.
 * @module
 */
import { fileURLToPath } from "node:url";
import { messageProblem } from "./messages.ts";
import { isTest, roomOf, tableKey, targetOf } from "./room_of.ts";
import {
  type Allowed,
  EMPTY_NAMES,
  LONG_FILES,
  MAX_FUNCTION_LINES,
  MAX_LINES,
  OWNERS,
  ROOMS,
  TEST_PACKAGES,
} from "./rooms.ts";

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

const ROOT = fileURLToPath(new URL("../../", import.meta.url)).replaceAll("\\", "/");

/** Returns the linted file's path from the root of the project. */
function pathOf(context: Deno.lint.RuleContext): string {
  const name = context.filename.replaceAll("\\", "/");
  return name.startsWith(ROOT) ? name.slice(ROOT.length) : name.replace(/^\.\//, "");
}

/** Visits every import specifier: imports, re-exports, `import()` and import types. */
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

/** Returns why the table of rooms forbids the file at `path` to import `specifier`, or undefined. */
function roomProblem(specifier: string, path: string): string | undefined {
  const from = roomOf(path);
  const target = targetOf(specifier, path);
  if (from === undefined || !("path" in target)) return undefined;
  const to = roomOf(target.path);
  if (to === undefined || to === from) return undefined;
  const allowed = ROOMS[tableKey(from)];
  if (allowed === undefined) return `${from} has no row in ROOMS of tests/lint/rooms.ts`;
  if (to.startsWith("stages/")) {
    return from === "tests" || from === "lib/app"
      ? undefined
      : `${from} must not import ${to}: stages share code through lib only`;
  }
  if (to.startsWith("lib/std/")) {
    return `${to} must be imported as "@std/${to.slice("lib/std/".length)}"`;
  }
  if (to === "tests") {
    return isTest(path) ? undefined : `${from} must not import tests: only tests import tests`;
  }
  if (isTest(path)) return undefined;
  return to.startsWith("lib/") && allows(allowed, to.slice("lib/".length))
    ? undefined
    : `${from} must not import ${to}: ROOMS allows ${spell(allowed)}`;
}

/** Returns what is wrong with the form of `specifier`, or undefined. */
function formProblem(specifier: string, path: string): string | undefined {
  const target = targetOf(specifier, path);
  if (target.kind === "url") {
    return `Code must come from packages of the import map, got "${specifier}"`;
  }
  if (target.kind === "package" && !target.bare) {
    return `Package must be imported without a version as "${target.name}", got "${specifier}"`;
  }
  if (target.kind === "relative" && roomOf(target.path) !== roomOf(path)) {
    return `Another room must be imported as "@/${target.path}", got "${specifier}"`;
  }
  if ("path" in target && !/\.[a-z]+$/.test(target.path)) {
    return `Import path must end with the file's extension, got "${specifier}"`;
  }
  return undefined;
}

/** Returns why the file at `path` may not import the external package `specifier`, or undefined. */
function ownerProblem(specifier: string, path: string): string | undefined {
  const from = roomOf(path);
  const target = targetOf(specifier, path);
  if (from === undefined || target.kind !== "package" || isTest(path)) return undefined;
  if (TEST_PACKAGES.includes(target.name)) {
    return `${from} must not import "${target.name}": only tests may`;
  }
  const owners = OWNERS[target.name];
  if (owners === undefined) {
    return `Package "${target.name}" requires an owner in OWNERS of tests/lint/rooms.ts`;
  }
  return owners.includes(tableKey(from))
    ? undefined
    : `${from} must not import "${target.name}": its owners are ${owners.join(", ")}`;
}

/** Returns how many lines `node` has. */
function linesOf(context: Deno.lint.RuleContext, node: Deno.lint.Node): number {
  return context.sourceCode.getText(node).split("\n").length;
}

/** Methods that take any number of arguments, with the function to call instead. */
const SPREAD: Readonly<Record<string, string>> = {
  max: "largest()",
  min: "smallest()",
  push: "append()",
  unshift: "[...items, ...list]",
  splice: "slice() and [...before, ...after]",
  concat: "flat()",
  fromCharCode: "TextDecoder",
  fromCodePoint: "Array.from(codes, (code) => String.fromCodePoint(code)).join()",
};

/** Returns why a call may overflow the stack: each item of a list is an argument. A literal list has few items. */
function spreadProblem({ callee, arguments: args }: Deno.lint.CallExpression): string | undefined {
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return undefined;
  const name = callee.property.name;
  if (!Object.hasOwn(SPREAD, name)) return undefined;
  if (!args.some((arg) => arg.type === "SpreadElement" && arg.argument.type !== "ArrayExpression")) {
    return undefined;
  }
  return `A list of any length must not be spread into the arguments of ${name}: use ${SPREAD[name]}`;
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
          NewExpression(node) {
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
            message: `Export requires a docstring, got "${line}"`,
          });
        }
        return {
          Program(node) {
            if (context.sourceCode.getAllComments()[0]?.value.includes("@module")) return;
            context.report({
              node,
              message: `${path} must begin with a /** … @module */ paragraph`,
            });
          },
          ExportNamedDeclaration: check,
          ExportDefaultDeclaration: check,
        };
      },
    },
    "spread": {
      create(context) {
        const path = pathOf(context);
        if (isTest(path) || !/^(lib|stages)\//.test(path) || path.startsWith("lib/std/")) return {};
        return {
          CallExpression(node) {
            const message = spreadProblem(node);
            if (message !== undefined) context.report({ node, message });
          },
        };
      },
    },
    "functions": {
      create(context) {
        const path = pathOf(context);
        if (isTest(path) || !/^(lib|stages)\//.test(path)) return {};
        function check(node: FunctionNode): void {
          const lines = linesOf(context, node);
          if (lines <= MAX_FUNCTION_LINES) return;
          const name = "id" in node && node.id ? node.id.name : "a function";
          context.report({
            node,
            message: `Function must have at most ${MAX_FUNCTION_LINES} lines, got ${lines} in ${name}`,
          });
        }
        return {
          FunctionDeclaration: check,
          FunctionExpression: check,
          ArrowFunctionExpression: check,
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
              message: `${path} must have at most ${MAX_LINES} lines, got ${lines}`,
            });
          }
          if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(stem) && !path.startsWith("stages/")) {
            context.report({ node, message: `File name must be snake_case, got "${stem}"` });
          }
          if (EMPTY_NAMES.includes(stem)) {
            context.report({
              node,
              message: `File name must say what the file contains, got "${stem}"`,
            });
          }
        },
      }),
    },
  },
};

export default plugin;

/** Local stand-in for `jsr:@std/cli`; see parse_args.ts. @module */
export * from "./parse_args.ts";

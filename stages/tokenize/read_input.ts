/**
 * Opens the stage's inputs: a user's files, and the answers of a model with the rule that selects among them.
 * In: paths and parameters. Out: rows.
 * @module
 */
import { readContractHeader } from "@/lib/contracts/contract_file.ts";
import { readRollouts } from "@/lib/contracts/rollouts.ts";
import { readScored } from "@/lib/contracts/scored.ts";
import type { InputPaths } from "@/lib/contracts/stage.ts";
import { readDemonstrations, readPrompts } from "@/lib/demonstrations/user_rows.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { checkerOptions } from "@/lib/evals/checker_params.ts";
import { loadChecker } from "@/lib/evals/load_checker.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import { cutResponses } from "./cut_responses.ts";
import type { PairSource } from "./make_pairs.ts";
import type { Params } from "./params.ts";
import { selectBest, selectByReward, selectByScore, selectEnded, type Selection } from "./select_rollouts.ts";
import type { TokenizeInput } from "./tokenize.ts";

/** The rows of all inputs that are given, and how rollouts were selected. */
export interface OpenedInput {
  readonly input: TokenizeInput;
  readonly selection?: Selection;
  /** what pairs are to be made of */
  readonly pairing?: PairSource;
}

/**
 * Reads every input that is given.
 * @throws {UsageError} if none is given, or the rule for rollouts lacks what it needs
 * @throws {DataError} if a file is not what it must be
 */
export async function readInput(
  paths: InputPaths,
  params: Params,
  tokenizer: Tokenizer,
): Promise<OpenedInput> {
  const demonstrations = pathsOf(paths, "demonstrations");
  const rollouts = pathOf(paths, "rollouts");
  const prompts = pathOf(paths, "prompts");
  const evalPrompts = pathOf(paths, "eval_prompts");
  const given = [demonstrations, rollouts, prompts, evalPrompts].filter((path) => path !== undefined);
  if (given.length === 0) {
    throw new UsageError(
      "Cannot tokenize as one of demonstrations, prompts, eval_prompts and rollouts must be given: none is",
    );
  }
  const pairing = pairSource(rollouts, demonstrations !== undefined, params, tokenizer);
  const selection = rollouts === undefined || pairing?.kind === "spin"
    ? undefined
    : await selectRollouts(rollouts, params, tokenizer);
  const input: TokenizeInput = {
    ...(demonstrations &&
      { demonstrations: await readDemonstrations(demonstrations, params, params.weights) }),
    ...(rollouts && selection && { rollouts: { file: rollouts, rows: selection.rows } }),
    ...(prompts && { prompts: await readPrompts(prompts, params) }),
    ...(evalPrompts && { evalPrompts: await readPrompts(evalPrompts, params) }),
  };
  return { input, ...(selection && { selection }), ...(pairing && { pairing }) };
}

/**
 * The answers that pairs are to be made of; undefined where none are wanted.
 * @throws {UsageError} if an input is missing or a pattern cuts the answers
 * @throws {DataError} if the ids belong to another tokenizer, or best_worst meets rollouts without rewards
 */
function pairSource(
  file: string | undefined,
  hasDemonstrations: boolean,
  { pairs, response_pattern }: Params,
  tokenizer: Tokenizer,
): PairSource | undefined {
  if (pairs === "none") return undefined;
  const problems = [
    ...(file === undefined ? ["rollouts is not given"] : []),
    ...(pairs === "spin" && !hasDemonstrations ? ["demonstrations is not given"] : []),
    ...(response_pattern === "" ? [] : ["response_pattern is set, which cuts answers"]),
  ];
  if (file === undefined || problems.length > 0) {
    throw new UsageError(
      `Cannot make ${pairs} pairs as they must be made of whole answers: ${problems.join("; ")}`,
    );
  }
  if (pairs === "spin") {
    const { rows, tokenizerDigest } = readRollouts(file);
    checkTokenizer(file, tokenizerDigest, tokenizer);
    return { kind: pairs, answers: { file, rows } };
  }
  const { rows, tokenizerDigest } = readRewarded(file, `pairs=${pairs}`);
  checkTokenizer(file, tokenizerDigest, tokenizer);
  return { kind: pairs, answers: { file, rows } };
}

/** @throws {DataError} if the rollouts have no rewards */
function readRewarded(file: string, rule: string): ReturnType<typeof readScored> {
  const { contract } = readContractHeader(file);
  if (contract === "scored@1") return readScored(file);
  throw new DataError(`Cannot select from ${file} as ${rule} must have scored@1: it is ${contract}`, {
    file,
  });
}

function checkTokenizer(file: string, digest: string, tokenizer: Tokenizer): void {
  if (digest === tokenizer.digest) return;
  throw new DataError(
    `Cannot select from ${file} as its ids must be those of the model's tokenizer, ${tokenizer.digest}: ` +
      `they are of ${digest}`,
    { file },
  );
}

/**
 * The rows of a `rollouts@1` or `scored@1` file that become demonstrations.
 * @throws {UsageError} if select=score has no checker, or a selection by reward a pattern
 * @throws {DataError} if the ids belong to another tokenizer, a selection by reward meets rollouts without rewards, or no
 *   row is left
 */
async function selectRollouts(file: string, params: Params, tokenizer: Tokenizer): Promise<Selection> {
  const isByReward = params.select === "reward" || params.select === "best";
  if (isByReward && params.response_pattern !== "") {
    throw new UsageError(
      "Cannot select rollouts by reward as response_pattern must be empty then: a reward belongs to the whole answer",
    );
  }
  const scored = isByReward ? readRewarded(file, `select=${params.select}`) : undefined;
  const { rows, tokenizerDigest } = scored ?? readRollouts(file);
  const decode = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecial: true });
  checkTokenizer(file, tokenizerDigest, tokenizer);
  const answers = params.response_pattern === ""
    ? rows
    : cutResponses(rows, { pattern: new RegExp(params.response_pattern, "uy"), decode });
  const selected = scored !== undefined
    ? params.select === "best" ? selectBest(scored.rows) : selectByReward(scored.rows, params.reward_fraction)
    : params.select === "all"
    ? selectEnded(answers)
    : selectByScore(answers, { check: await checkerOf(params), threshold: params.score_threshold, decode });
  const selection = { ...selected, offered: rows.length };
  if (selection.rows.length > 0) return selection;
  throw new DataError(
    `Cannot select from ${file} as a row must be left: of ${selection.offered} rows ${selection.ended} ended, none was ` +
      `selected by ${params.select}`,
    { file },
  );
}

function checkerOf(params: Params): Promise<Checker> {
  if (params.checker === "") {
    throw new UsageError(
      "Cannot select rollouts by score as a checker must score them (--checker words, exact, contains, regex or a " +
        "module; or --select reward, all): none is named",
    );
  }
  return loadChecker(params.checker, checkerOptions(params));
}

function pathsOf(paths: InputPaths, port: string): readonly string[] | undefined {
  const given = paths[port];
  if (given === undefined || typeof given === "string") return given === undefined ? undefined : [given];
  if (Array.isArray(given)) return given.length === 0 ? undefined : given;
  throw new UsageError(
    `Cannot tokenize as input ${port} must be a list of paths: it is ${JSON.stringify(given)}`,
  );
}

function pathOf(paths: InputPaths, port: string): string | undefined {
  const path = paths[port];
  if (path === undefined || typeof path === "string") return path;
  throw new UsageError(`Cannot tokenize as input ${port} must be one path: it is ${JSON.stringify(path)}`);
}

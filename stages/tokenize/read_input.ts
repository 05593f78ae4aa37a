/** Reads the stage's inputs: users' files, and the responses of a model that are selected as demonstrations. @module */
import { readContractHeader } from "@/lib/data/contracts/contract_file.ts";
import { readRollouts } from "@/lib/data/contracts/rollouts.ts";
import { readScored } from "@/lib/data/contracts/scored.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { readDemonstrations, readUserPrompts } from "@/lib/data/demonstrations/user_rows.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { checkerOptions } from "@/lib/model/evals/checker_params.ts";
import { loadChecker } from "@/lib/model/evals/load_checker.ts";
import { compilePattern } from "@/lib/model/evals/pattern.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { PairSource } from "./make_pairs.ts";
import type { Params } from "./params.ts";
import type { inputs } from "./ports.ts";
import { selectBest, selectByReward, selectByScore, selectEnded, type Selection } from "./select_rollouts.ts";
import type { TokenizeInput } from "./tokenize.ts";
import { truncateResponses } from "./truncate_responses.ts";

/** The rows of all given inputs, and the selection of rollouts. */
export interface OpenedInput {
  readonly input: TokenizeInput;
  readonly selection?: Selection;
  /** the responses for pairs */
  readonly pairing?: PairSource;
}

/**
 * Reads every given input.
 * @throws {UsageError} if none is given, or parameters do not fit the inputs
 * @throws {DataError} if a file is invalid
 */
export async function readInput(
  { demonstrations: paths, rollouts, prompts, eval_prompts: evalPrompts }: InputPaths<typeof inputs>,
  params: Params,
  tokenizer: Tokenizer,
  signal: AbortSignal,
): Promise<OpenedInput> {
  const demonstrations = [paths ?? []].flat(); // an HTTP request may have a single path
  const isGiven = demonstrations.length > 0;
  if (!isGiven && (rollouts ?? prompts ?? evalPrompts) === undefined) {
    throw new UsageError("At least one input is required: demonstrations, prompts, eval_prompts or rollouts");
  }
  const pairing = pairSource(rollouts, isGiven, params, tokenizer);
  const selection = rollouts === undefined || pairing?.kind === "spin"
    ? undefined
    : await selectRollouts(rollouts, params, tokenizer, signal);
  const input: TokenizeInput = {
    demonstrations: isGiven ? await readDemonstrations(demonstrations, params, params.weights) : undefined,
    rollouts: rollouts === undefined ? undefined : selection && { file: rollouts, rows: selection.rows },
    prompts: prompts === undefined ? undefined : await readUserPrompts(prompts, params),
    evalPrompts: evalPrompts === undefined ? undefined : await readUserPrompts(evalPrompts, params),
  };
  return { input, ...(selection && { selection }), ...(pairing && { pairing }) };
}

/**
 * Returns the responses for pairs; undefined if pairs is none.
 * @throws {UsageError} if an input is missing or response_pattern would truncate the responses
 * @throws {DataError} if the ids are of another tokenizer, or best_worst gets rollouts without rewards
 */
function pairSource(
  file: string | undefined,
  hasDemonstrations: boolean,
  { pairs, response_pattern }: Params,
  tokenizer: Tokenizer,
): PairSource | undefined {
  if (pairs === "none") return undefined;
  const problems = [
    ...(file === undefined ? ["missing input rollouts"] : []),
    ...(pairs === "spin" && !hasDemonstrations ? ["missing input demonstrations"] : []),
    ...(response_pattern === "" ? [] : ["response_pattern must be empty, since it truncates responses"]),
  ];
  if (file === undefined || problems.length > 0) {
    throw new UsageError(`pairs=${pairs}: ${problems.join("; ")}`);
  }
  if (pairs === "spin") {
    const { rows, tokenizerDigest } = readRollouts(file);
    checkTokenizer(file, tokenizerDigest, tokenizer);
    return { kind: pairs, responses: { file, rows } };
  }
  const { rows, tokenizerDigest } = readRewarded(file, `pairs=${pairs}`);
  checkTokenizer(file, tokenizerDigest, tokenizer);
  return { kind: pairs, responses: { file, rows } };
}

/** Reads rollouts with rewards. @throws {DataError} if they have none */
function readRewarded(file: string, setting: string): ReturnType<typeof readScored> {
  const { contract } = readContractHeader(file);
  if (contract === "scored@1") return readScored(file);
  throw new DataError(`${file}: ${setting} requires scored@1, got ${contract}`, { file });
}

function checkTokenizer(file: string, digest: string, tokenizer: Tokenizer): void {
  if (digest === tokenizer.digest) return;
  throw new DataError(
    `${file}: token ids must be those of the model's tokenizer, ${tokenizer.digest}, got ${digest}`,
    { file },
  );
}

/**
 * Returns the rows of a `rollouts@1` or `scored@1` file that become demonstrations.
 * @throws {UsageError} if select=score has no checker, or a selection by reward has a response_pattern
 * @throws {DataError} if the ids are of another tokenizer, a selection by reward gets rollouts without rewards, or no row is
 *   selected
 */
async function selectRollouts(
  file: string,
  params: Params,
  tokenizer: Tokenizer,
  signal: AbortSignal,
): Promise<Selection> {
  const { select, response_pattern } = params;
  const isByReward = select === "reward" || select === "best";
  if (isByReward && response_pattern !== "") {
    throw new UsageError(
      `response_pattern must be empty with select=${select}: the reward was computed for the whole response`,
    );
  }
  const scored = isByReward ? readRewarded(file, `select=${select}`) : undefined;
  const { rows, tokenizerDigest } = scored ?? readRollouts(file);
  checkTokenizer(file, tokenizerDigest, tokenizer);
  const decode = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecial: true });
  const responses = response_pattern === ""
    ? rows
    : truncateResponses(rows, { pattern: compilePattern(response_pattern), decode });
  const selected = scored !== undefined
    ? select === "best" ? selectBest(scored.rows) : selectByReward(scored.rows, params.reward_fraction)
    : select === "all"
    ? selectEnded(responses)
    : await selectByScore(responses, {
      check: await checkerOf(params, signal),
      threshold: params.score_threshold,
      decode,
    });
  const selection = { ...selected, offered: rows.length };
  if (selection.rows.length > 0) return selection;
  throw new DataError(
    `${file}: select=${select} must select at least one row, got none of ${rows.length} rows, ${selected.ended} of which ended`,
    { file },
  );
}

function checkerOf(params: Params, signal: AbortSignal): Promise<Checker> {
  if (params.checker !== "") return loadChecker(params.checker, checkerOptions(params), { signal });
  throw new UsageError(
    "select=score requires --checker words, exact, contains, regex or a module path (or use --select reward, best or all)",
  );
}

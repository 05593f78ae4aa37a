/** Checks one golden of any kind; whatever goes wrong is a line of the report, not the end of it. @module */
import { checkChatTemplate } from "./check_chat_template.ts";
import { checkCorrupt } from "./check_corrupt.ts";
import { checkFamily } from "./check_family.ts";
import { checkLayouts } from "./check_layouts.ts";
import { checkLora } from "./check_lora.ts";
import { checkPpo } from "./check_ppo.ts";
import { checkSrppo } from "./check_srppo.ts";
import { checkTokenizer } from "./check_tokenizer.ts";
import type { Golden, GoldenKind } from "./find_goldens.ts";
import type { CheckLine } from "./tally.ts";

const CHECKERS: Readonly<Partial<Record<GoldenKind, (path: string) => CheckLine[] | Promise<CheckLine[]>>>> =
  {
    family: checkFamily,
    lora: checkLora,
    ppo: checkPpo,
    srppo: checkSrppo,
    tokenizer: checkTokenizer,
    chat_template: checkChatTemplate,
    layouts: checkLayouts,
    corrupt: (path) => checkCorrupt(path),
  };

/**
 * The lines of a golden.
 * @param onError is told of every error that became a line
 */
export async function checkGolden(
  { kind, path }: Golden,
  onError: (error: unknown) => void = () => {},
): Promise<CheckLine[]> {
  const checker = CHECKERS[kind];
  if (!checker) {
    const known = Object.keys(CHECKERS).join(", ");
    return [problemLine(kind, `Cannot check ${path} as its kind must be one of ${known}: it is ${kind}`)];
  }
  try {
    return await checker(path);
  } catch (error) {
    onError(error);
    return [problemLine(kind, error instanceof Error ? error.message : String(error))];
  }
}

function problemLine(check: string, problem: string): CheckLine {
  const largestError = Infinity;
  return { check, measure: "differences", bar: 0, largestError, ok: false, worst: problem, places: [] };
}

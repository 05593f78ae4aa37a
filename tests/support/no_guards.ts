/** The guards of a reward, switched off: the paper's reward. @module */
import type { TokenGuards } from "@/lib/model/rl/token_rewards.ts";

/** No guard. */
export const NO_GUARDS: TokenGuards = { floor: null, floorBoth: null, tokenCap: null, eosBound: null };

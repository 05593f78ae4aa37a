/**
 * Which outputs of a loop's rounds must stay because `BLOCK.best` may give them: those of the best round so far, and
 * those of rounds whose figure is still to come.
 * @module
 */
import {
  allStages,
  type Blueprint,
  type Figure,
  isBlock,
  type IteratePlan,
  lastRound,
  type Reference,
  referencesOf,
  runsInRound,
  type StagePlan,
} from "./blueprint.ts";
import { givesModels } from "./ports.ts";
import { beats } from "./rounds.ts";

/** The best rounds of the loops of one run, as far as it has come. */
export interface BestSoFar {
  /** notes a figure of a finished round; false where it tells the best round of no loop */
  readonly note: (figure: Figure, iteration: number, value: number) => boolean;
  /** rounds up to `latest` whose output `port` of `plan` must stay */
  readonly rounds: (plan: StagePlan, port: string, latest: number) => ReadonlySet<number>;
}

/** Nothing is known yet. */
export function bestSoFar(blueprint: Blueprint): BestSoFar {
  const loops = blueprint.entries.filter((e): e is IteratePlan =>
    isBlock(e) && e.kind === "iterate" && e.best !== undefined
  );
  const wanted = new Map(loops.map((block) => [block, wantedNames(blueprint, block)]));
  const figures = new Map(loops.map((block) => [block, new Map<number, number>()]));

  /** Rounds that are the best so far, or may turn out to be. */
  function candidates(block: IteratePlan, latest: number): number[] {
    const { figure, goal } = block.best!;
    const known = figures.get(block)!;
    let best: number | undefined;
    for (const i of [...known.keys()].sort((a, b) => a - b)) {
      if (beats(goal, known.get(i)!, best === undefined ? undefined : known.get(best))) best = i;
    }
    const open = Array.from({ length: latest + 1 }, (_, i) => i).filter((i) =>
      !known.has(i) && runsInRound(figure.stage, i, lastRound(block))
    );
    return best === undefined ? open : [best, ...open];
  }

  return {
    note(figure, iteration, value) {
      const block = loops.find((loop) => loop.best!.figure === figure);
      if (block) figures.get(block)!.set(iteration, value);
      return block !== undefined;
    },
    rounds(plan, port, latest) {
      const rounds = new Set<number>();
      for (const [block, names] of wanted) {
        if (block !== plan.block) continue;
        // What the round after the latest started from is an output of the latest.
        for (const i of candidates(block, latest + 1)) {
          for (const name of names) {
            const source = sourceOf(block, name, block.best!.take === "next" ? i : i - 1);
            if (source?.plan === plan && source.port === port) rounds.add(source.iteration);
          }
        }
      }
      return rounds;
    },
  };
}

/** Carried names that `BLOCK.best` gives to somebody, and all models: they are what a user asks for later. */
function wantedNames(blueprint: Blueprint, block: IteratePlan): string[] {
  const references: Reference[] = [
    ...Object.values(blueprint.outputs),
    ...allStages(blueprint).flatMap((plan) => Object.values(plan.bindings).flatMap(referencesOf)),
    ...blueprint.entries.flatMap((e) =>
      isBlock(e) && e.kind === "iterate" ? Object.values(e.carry).flatMap((r) => r ?? []) : []
    ),
  ];
  return Object.keys(block.next).filter((name) => {
    const source = sourceOf(block, name, lastRound(block));
    const isModel = source && givesModels(source.plan.stage.outputs[source.port]!);
    return isModel || references.some((r) => r.from === "best" && r.block === block && r.name === name);
  });
}

/** The stage of the loop that made what round `iteration` carried out as `name`; none where it came from outside. */
function sourceOf(
  block: IteratePlan,
  name: string,
  iteration: number,
): { readonly plan: StagePlan; readonly port: string; readonly iteration: number } | undefined {
  const reference = iteration < 0 ? undefined : block.next[name];
  if (reference?.from === "carry") return sourceOf(block, reference.name, iteration - 1);
  if (reference?.from !== "stage" || reference.stage.block !== block) return undefined;
  return { plan: reference.stage, port: reference.port, iteration };
}

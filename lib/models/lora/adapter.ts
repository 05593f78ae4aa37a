/**
 * What a low-rank adapter is (Hu et al. 2021, arXiv:2106.09685): some linear maps of a frozen model compute
 * y = Wx + s·B(Ax), and only A [r, in] and B [out, r] are trained.
 * @module
 */
import type { Model } from "../model.ts";

/** Which maps get additions, and of what rank: the part of adapter_config.json that says so. */
export interface LoraConfig {
  /** rank where `rankPattern` does not say otherwise */
  readonly rank: number;
  /** α of s = α/r, or of s = α/√r with `rankStabilised`, where `alphaPattern` does not say otherwise */
  readonly alpha: number;
  /** scales by 1/√r instead of 1/r (Kalajdzievski 2023, arXiv:2312.03732) */
  readonly rankStabilised: boolean;
  /** last parts of module names, or a regular expression for whole ones, or `all-linear` */
  readonly targets: readonly string[] | string;
  /** maps that are left out although `targets` names them; spelled likewise */
  readonly excluded: readonly string[] | string;
  /** layers that get additions; null: all */
  readonly layers: readonly number[] | null;
  /** rank by regular expression for the end of a module name; the first that fits counts */
  readonly rankPattern: Readonly<Record<string, number>>;
  /** α likewise */
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** share of the adapter's input that training would drop: above 0 it can be used, but not trained */
  readonly dropout: number;
  /** whether the adapted maps are said to be stored [in, out]; null where that is not said */
  readonly transposed: boolean | null;
}

/** A config that names nothing but rank and α: every linear map, no exceptions, no patterns. */
export const PLAIN_LORA: Omit<LoraConfig, "rank" | "alpha"> = {
  rankStabilised: false,
  targets: "all-linear",
  excluded: [],
  layers: null,
  rankPattern: {},
  alphaPattern: {},
  dropout: 0,
  transposed: null,
};

/** One linear map with an addition. */
export interface AdaptedMap {
  readonly layer: number;
  /** its local name in the block */
  readonly local: string;
  /** its name in checkpoints, without `.weight` */
  readonly module: string;
  readonly inner: number;
  readonly out: number;
  readonly rank: number;
  /** s */
  readonly scale: number;
}

/** An adapter and what it stands on. */
export interface Adapter {
  readonly config: LoraConfig;
  readonly maps: readonly AdaptedMap[];
  /** the model without the additions */
  readonly base: Model;
  /** where the base's weights lie */
  readonly baseDirectory: string;
}

/** Names of A and B of a module, as PEFT spells them. */
export function adapterNames(module: string): { readonly a: string; readonly b: string } {
  const at = `base_model.model.${module}`;
  return { a: `${at}.lora_A.weight`, b: `${at}.lora_B.weight` };
}

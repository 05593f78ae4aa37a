/**
 * Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): some linear maps of a frozen model compute y = Wx + s·B(Ax), and
 * only A [r, in] and B [out, r] are trained.
 * @module
 */
/** The adapted maps and their ranks, as in adapter_config.json. */
export interface LoraConfig {
  /** rank of maps that match no `rankPattern` */
  readonly rank: number;
  /** α of s = α/r (s = α/√r with `rankStabilised`), for maps that match no `alphaPattern` */
  readonly alpha: number;
  /** scales by 1/√r instead of 1/r (Kalajdzievski 2023, arXiv:2312.03732) */
  readonly rankStabilised: boolean;
  /** last parts of module names, or a regular expression for whole ones, or `all-linear` */
  readonly targets: readonly string[] | string;
  /** maps to leave out of `targets`, in the same form */
  readonly excluded: readonly string[] | string;
  /** adapted layers; null: all */
  readonly layers: readonly number[] | null;
  /** rank by regular expression for the end of a module name; the first match is used */
  readonly rankPattern: Readonly<Record<string, number>>;
  /** α in the same form */
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** dropout of the adapter's input in training: an adapter with dropout can be used, but not trained */
  readonly dropout: number;
  /** whether the adapted maps are stored [in, out]; null: not specified */
  readonly transposed: boolean | null;
}

/** Defaults of all fields but rank and α: every linear map, no patterns. */
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

/** Returns the names of A and B of a module in PEFT's files. */
export function adapterNames(module: string): { readonly a: string; readonly b: string } {
  const at = `base_model.model.${module}`;
  return { a: `${at}.lora_A.weight`, b: `${at}.lora_B.weight` };
}

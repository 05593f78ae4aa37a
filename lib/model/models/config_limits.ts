/** Limits of the sizes in config.json, far beyond any model: an absurd size is refused before anything is allocated. @module */

const WIDTH = 2 ** 24, LAYERS = 10_000, HEADS = 65_536, POSITIONS = 2 ** 30;

const LIMITS: Readonly<Record<string, number>> = {
  vocab_size: WIDTH,
  hidden_size: WIDTH,
  n_embd: WIDTH,
  intermediate_size: WIDTH,
  n_inner: WIDTH,
  head_dim: WIDTH,
  num_hidden_layers: LAYERS,
  n_layer: LAYERS,
  num_attention_heads: HEADS,
  n_head: HEADS,
  num_key_value_heads: HEADS,
  max_position_embeddings: POSITIONS,
  n_positions: POSITIONS,
};

/** Limit of hidden_size · the widest of vocabulary, MLP and itself: the elements of one matrix. */
const MATRIX = 2 ** 36;

/** Returns a sentence for every size of a config that is beyond its limit. */
export function sizeProblems(config: Readonly<Record<string, unknown>>): string[] {
  const problems = Object.entries(LIMITS).flatMap(([name, most]) => {
    const size = config[name];
    return typeof size === "number" && size > most ? [`${name} must be at most ${most}, got ${size}`] : [];
  });
  if (problems.length > 0) return problems;
  const size = (name: string) => typeof config[name] === "number" ? config[name] : 0;
  const width = Math.max(size("hidden_size"), size("n_embd"));
  const wide = ["vocab_size", "intermediate_size", "n_inner", "hidden_size", "n_embd"].find((name) =>
    width * size(name) > MATRIX
  );
  return wide === undefined
    ? []
    : [`a weight of hidden_size · ${wide} must have at most ${MATRIX} elements, got ${width * size(wide)}`];
}

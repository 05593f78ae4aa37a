/**
 * A second head on a language model: one value per position, from the normalised hidden states that the output weights read too. The model stays a
 * language model, and its checkpoints do not contain the head.
 * @module
 */
import type { Model, ParameterSpec } from "./model.ts";
import { ParameterVector } from "./parameters.ts";
import type { LoadedModel } from "./plain_checkpoint.ts";

/** A language model with a value head. */
export interface TwoHeadedModel extends LoadedModel {
  readonly model: Model & { readonly valueHead: ParameterSpec };
  /**
   * Returns the two parts of a vector with the layout of `parameters`, as views of it: the language model's, on its backbone, and the value
   * head's.
   */
  readonly parts: (vector: ParameterVector) => {
    readonly model: ParameterVector;
    readonly valueHead: ParameterVector;
  };
}

/**
 * Returns the model with a value head of zeros. Its weights are copied: `parameters` has those of the model first, then those of the head, which
 * has no weight decay.
 *
 * value = w·h, without a bias, h the normalised hidden state. TRL's AutoModelForCausalLMWithValueHead reads the same states and has a bias.
 */
export function withValueHead(
  { model, parameters: { specs, data, backbone, origin } }: LoadedModel,
): TwoHeadedModel {
  const valueHead: ParameterSpec = { name: "value_head.weight", shape: [model.hiddenSize] };
  const parameters = new ParameterVector([...specs, valueHead], { backbone }); // vectors come last
  parameters.data.set(data);
  parameters.origin = origin;
  return {
    model: { ...model, valueHead },
    parameters,
    parts: ({ data: all }) => ({
      model: new ParameterVector(specs, { data: all.subarray(0, data.length), backbone }),
      valueHead: new ParameterVector([valueHead], { data: all.subarray(data.length) }),
    }),
  };
}

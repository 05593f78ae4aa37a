/** What this program knows of ONNX Runtime's execution providers, as data: no other module tells them apart. @module */

/** An execution provider. */
export interface Provider {
  /** value of `--device`, and part of the keys of compiled graphs */
  readonly device: string;
  /** name by which it is appended to a session's options; empty: sessions have it anyway */
  readonly name: string;
  /** true: its tensors are in the memory of this process, which reads and writes them without copies */
  readonly isHost: boolean;
  /** name of its memory in ONNX Runtime */
  readonly memory: string;
  /** whether a tensor may begin inside an allocation, at a multiple of `align` bytes */
  readonly offsets: boolean;
  /** bytes */
  readonly align: number;
  /** element type of mixed precision; null: none */
  readonly narrow: "bf16" | null;
  /** options of the provider in a session */
  readonly options: Readonly<Record<string, string>>;
  /** further configuration of a session */
  readonly config: Readonly<Record<string, string>>;
  /**
   * operators without a kernel or with a wrong one; `Operator.part` names one of their features. Each wrong one is a line
   * of docs/devices.md
   */
  readonly lacks: ReadonlySet<string>;
}

/** The processor. */
export const CPU: Provider = {
  device: "cpu",
  name: "",
  isHost: true,
  memory: "Cpu",
  offsets: true,
  align: 4,
  narrow: null,
  options: {},
  config: {},
  lacks: new Set(),
};

/** A graphics processor under Vulkan, Direct3D or Metal; software drivers of Vulkan work too. */
export const WEBGPU: Provider = {
  device: "webgpu",
  name: "WebGPU",
  isHost: false,
  memory: "WebGPU_Buf",
  // An address is a handle of a buffer: a sum of it and an offset ends the process.
  offsets: false,
  align: 256,
  narrow: null,
  options: { enableInt64: "1" },
  config: { "session.disable_cpu_ep_fallback": "1" },
  lacks: new Set([
    "FusedMatMul",
    "LogSoftmax",
    // Wrong: the second output is the mean, not the inverse root of the mean square.
    "SimplifiedLayerNormalization.inv_std_var",
    // Wrong: scores are not capped as on the CPU.
    "GroupQueryAttention.softcap",
  ]),
};

/** The devices of `--device`: which there are, and opening one for the process. @module */
import { checkedVersion, knownResult, rememberResult } from "./checked_devices.ts";
import { goldenEquations, wrongKernels } from "./conformance.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { setDefaultPlace } from "@/lib/compute/ort/default_place.ts";
import { HOST, Place } from "@/lib/compute/ort/place.ts";
import { CPU, type Provider, WEBGPU } from "@/lib/compute/ort/provider.ts";
import { type VulkanDevice, vulkanDevices } from "@/lib/compute/ort/vulkan.ts";

/** Providers that compute on a device, by their value of `--device`. */
const PROVIDERS: Readonly<Record<string, Provider>> = { [WEBGPU.device]: WEBGPU };

/** Values of `--device`. `auto` is the processor: no other device is chosen unless it is named. */
const DEVICES = [CPU.device, ...Object.keys(PROVIDERS), "auto"];

/** How a device is opened. */
interface OpenOptions {
  /** false: operators that the device does not have run on the processor; default true */
  readonly strict?: boolean;
  /**
   * true: its kernels are checked, unless an earlier process checked this version; default: the caller compares the results
   */
  readonly check?: boolean;
  /** called with what the user should know: a software driver, what `auto` chose, that kernels are checked */
  readonly tell?: (line: string) => void;
}

const places = new Map<string, Place>();

/** Makes a place available as the device of its provider's name. */
export function addDevice(place: Place): void {
  places.set(`${place.provider.device}/true`, place);
}

/**
 * Opens a device. A device that is open already is returned as it is.
 * @param device value of `--device`: cpu, webgpu or auto
 * @throws {UnavailableError} if it is unknown, there is none on this machine, or a check finds a wrong kernel
 */
export function openDevice(
  device: string,
  { strict = true, check = false, tell = () => {} }: OpenOptions = {},
): Place {
  const known = places.get(`${device}/${strict}`);
  if (known) return known;
  checkDevice(device);
  if (device === "auto") tell(`--device auto: ${CPU.device}`);
  const provider = PROVIDERS[device];
  if (!provider) return HOST;
  const place = new Place(strict ? provider : { ...provider, config: {} }), drivers = vulkanDrivers();
  try {
    place.open();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const reason = /Failed[^\n]*/.exec(message)?.[0] ?? message.trim(); // without the place in ONNX Runtime's source
    throw new UnavailableError(
      `--device ${device} requires a device under Vulkan, got ${listedDrivers(drivers)}: ${reason}`,
      { cause },
    );
  }
  softwareNotice(device, drivers).forEach(tell);
  if (check) checkKernels(place, drivers, tell);
  places.set(`${device}/${strict}`, place);
  return place;
}

/** Checks the kernels of a device, once per version. @throws {UnavailableError} naming those that are wrong */
function checkKernels(
  place: Place,
  drivers: readonly VulkanDevice[] | undefined,
  tell: (line: string) => void,
): void {
  const { device } = place.provider, equations = goldenEquations();
  const version = checkedVersion((drivers ?? []).map(({ name }) => name), equations);
  let wrong = knownResult(device, version);
  if (!wrong) {
    tell(
      `--device ${device}: checking its ${equations.length} operations against the processor, once per version`,
    );
    wrong = wrongKernels(place, equations);
    rememberResult(device, version, wrong);
  }
  if (wrong.length === 0) return;
  const list = wrong.map(({ name, equation, problem }) => `${name} (${equation}: ${problem})`).join("; ");
  throw new UnavailableError(
    `--device ${device} must compute as the processor does, got wrong results of ${list}`,
  );
}

/** Returns the device that a value of `--device` stands for, without opening it. @throws {UnavailableError} if it is unknown */
export function checkDevice(device: string): string {
  if (DEVICES.includes(device)) return PROVIDERS[device] ? device : CPU.device;
  throw new UnavailableError(`--device must be one of ${DEVICES.join(", ")}, got "${device}"`);
}

/** Opens a device for all networks and generators that the process creates from now on, and checks its kernels. */
export function useDevice(device: string, tell: (line: string) => void): void {
  setDefaultPlace(openDevice(device, { check: true, tell }));
}

/** Other systems have other interfaces to their devices. */
function vulkanDrivers(): readonly VulkanDevice[] | undefined {
  return Deno.build.os === "linux" ? vulkanDevices() : undefined;
}

function listedDrivers(drivers: readonly VulkanDevice[] | undefined): string {
  if (drivers === undefined) return "none";
  return drivers.map(({ name }) => name).join(", ") || "no Vulkan driver";
}

function softwareNotice(device: string, drivers: readonly VulkanDevice[] | undefined): string[] {
  if (!drivers || drivers.some(({ isSoftware }) => !isSoftware)) return [];
  const names = drivers.map(({ name }) => name).join(", ");
  return [
    `--device ${device} computes on the processor: the only Vulkan driver is ${names}, much slower than --device cpu`,
  ];
}

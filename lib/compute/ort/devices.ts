/** The devices of `--device`: which there are, and opening one for the process. @module */
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { setDefaultPlace } from "./default_place.ts";
import { HOST, Place } from "./place.ts";
import { CPU, type Provider, WEBGPU } from "./provider.ts";
import { type VulkanDevice, vulkanDevices } from "./vulkan.ts";

/** Providers that compute on a device, by their value of `--device`. */
const PROVIDERS: Readonly<Record<string, Provider>> = { [WEBGPU.device]: WEBGPU };

/** Values of `--device`. `auto` is the processor: no other device is chosen unless it is named. */
const DEVICES = [CPU.device, ...Object.keys(PROVIDERS), "auto"];

/** An opened device. */
interface OpenedDevice {
  readonly place: Place;
  /** what the user should know: a software driver, or what `auto` chose; nothing if it was opened before */
  readonly notices: readonly string[];
}

const places = new Map<string, Place>();

/** Makes a place available as the device of its provider's name. */
export function addDevice(place: Place): void {
  places.set(`${place.provider.device}/true`, place);
}

/**
 * Opens a device.
 * @param device value of `--device`: cpu, webgpu or auto
 * @param options.strict false: operators that the device does not have run on the processor; default true
 * @throws {UnavailableError} if it is unknown, or there is none on this machine
 */
export function openDevice(
  device: string,
  { strict = true }: { readonly strict?: boolean } = {},
): OpenedDevice {
  const known = places.get(`${device}/${strict}`);
  if (known) return { place: known, notices: [] };
  checkDevice(device);
  if (device === "auto") return { place: HOST, notices: [`--device auto: ${CPU.device}`] };
  const provider = PROVIDERS[device]!;
  if (device === CPU.device) return { place: HOST, notices: [] };
  const place = new Place(strict ? provider : { ...provider, config: {} });
  const drivers = vulkanDrivers();
  try {
    place.open();
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split("\n").slice(-1);
    throw new UnavailableError(
      `--device ${device} requires a device under Vulkan, got ${listedDrivers(drivers)}: ${reason}`,
      {
        cause: error,
      },
    );
  }
  places.set(`${device}/${strict}`, place);
  return { place, notices: softwareNotice(device, drivers) };
}

/** Checks a value of `--device`. @throws {UnavailableError} if it is unknown */
export function checkDevice(device: string): void {
  if (DEVICES.includes(device)) return;
  throw new UnavailableError(`--device must be one of ${DEVICES.join(", ")}, got "${device}"`);
}

/** Opens a device for all networks and generators that the process creates from now on; returns its notices. */
export function useDevice(device: string): readonly string[] {
  const { place, notices } = openDevice(device);
  setDefaultPlace(place);
  return notices;
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

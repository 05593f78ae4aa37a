/**
 * Lists the Vulkan devices of this machine by Vulkan's own loader, with three of its functions. ONNX Runtime does not tell
 * which device it chose, nor that it is a driver that computes on the processor.
 * @module
 */

/** A device under Vulkan. */
export interface VulkanDevice {
  readonly name: string;
  /** true: a driver that computes on the processor */
  readonly isSoftware: boolean;
}

const LOADERS = ["libvulkan.so.1", "libvulkan.so"];

// VkInstanceCreateInfo: 64 bytes, all zero but the type of the structure. Offsets of VkPhysicalDeviceProperties, 824 bytes.
const CREATE_INFO_BYTES = 64, INSTANCE_CREATE_INFO = 1;
const PROPERTIES_BYTES = 824, DEVICE_TYPE = 16, DEVICE_NAME = 20, NAME_BYTES = 256;
const TYPE_CPU = 4;

const SYMBOLS = {
  vkCreateInstance: { parameters: ["buffer", "pointer", "buffer"], result: "i32" },
  vkEnumeratePhysicalDevices: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  vkGetPhysicalDeviceProperties: { parameters: ["pointer", "buffer"], result: "void" },
  vkDestroyInstance: { parameters: ["pointer", "pointer"], result: "void" },
} as const;

/** Returns the devices of all drivers; empty without the loader or without a driver. */
export function vulkanDevices(): VulkanDevice[] {
  using library = openLoader();
  if (!library) return [];
  const info = new Uint8Array(CREATE_INFO_BYTES), instance = new BigUint64Array(1);
  new DataView(info.buffer).setUint32(0, INSTANCE_CREATE_INFO, true);
  const { symbols } = library;
  if (symbols.vkCreateInstance(info, null, instance) !== 0) return [];
  const handle = Deno.UnsafePointer.create(instance[0]!), count = new Uint32Array(1);
  symbols.vkEnumeratePhysicalDevices(handle, count, null);
  const devices = new BigUint64Array(count[0]!);
  symbols.vkEnumeratePhysicalDevices(handle, count, devices);
  const found = Array.from(devices, (device): VulkanDevice => {
    const properties = new Uint8Array(PROPERTIES_BYTES);
    symbols.vkGetPhysicalDeviceProperties(Deno.UnsafePointer.create(device), properties);
    const name = properties.subarray(DEVICE_NAME, DEVICE_NAME + NAME_BYTES);
    return {
      name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))),
      isSoftware: new DataView(properties.buffer).getUint32(DEVICE_TYPE, true) === TYPE_CPU,
    };
  });
  symbols.vkDestroyInstance(handle, null);
  return found;
}

function openLoader(): Deno.DynamicLibrary<typeof SYMBOLS> & Disposable | undefined {
  for (const name of LOADERS) {
    try {
      const library = Deno.dlopen(name, SYMBOLS);
      return {
        symbols: library.symbols,
        close: () => library.close(),
        [Symbol.dispose]: () => library.close(),
      };
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      // The loader is not installed.
    }
  }
  return undefined;
}

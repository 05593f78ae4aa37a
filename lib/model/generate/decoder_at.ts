/** The decoder of a place. @module */
import type { Place } from "@/lib/compute/ort/place.ts";
import type { LoadedModel } from "@/lib/model/models/checkpoint.ts";
import type { Decoder } from "./decoder.ts";
import { DeviceDecoder } from "./device_decoder.ts";
import { HostDecoder } from "./host_decoder.ts";

/** Returns a decoder that computes at a place; it compiles nothing yet. */
export function decoderAt(place: Place, { model, parameters }: LoadedModel): Decoder {
  return place.isHost ? new HostDecoder(model, parameters) : new DeviceDecoder(model, parameters, place);
}

/** The device that a process computes on unless a network is given another one. @module */
import { HOST, type Place } from "./place.ts";

let current = HOST;

/** Returns the place of networks and generators that are given none; the processor unless it was set. */
export function defaultPlace(): Place {
  return current;
}

/** Sets the place of networks and generators that are created from now on. */
export function setDefaultPlace(place: Place): void {
  current = place;
}

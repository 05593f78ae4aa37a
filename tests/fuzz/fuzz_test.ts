import { assert } from "@std/assert";
import { exitCodeOf } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { mutated } from "./mutate.ts";
import { READERS } from "./readers.ts";

for (const [name, { samples, read }] of Object.entries(READERS)) {
  Deno.test(`${name}: valid samples are read, and 60 mutations are read or refused with exit code 64 or 65`, async () => {
    using directory = new TemporaryDirectory();
    for (let number = 0; number < 60; number++) {
      try {
        await read(mutated(samples, number), directory.path);
      } catch (error) {
        assert([64, 65].includes(exitCodeOf(error)), `case ${number}: ${(error as Error).stack}`);
      }
    }
  });
}

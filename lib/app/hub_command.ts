/**
 * Downloads models from the Hugging Face hub. `launcher.ts` starts this process before a run, with permission for the
 * hub's hosts and the cache only. Arguments: cache, endpoint, references. Standard output: a JSON object from each
 * reference to its directory.
 * @module
 */
import { environmentValue } from "@/lib/data/files/kept_environment.ts";
import { downloadModel } from "@/lib/data/hub/download_model.ts";
import { hubToken } from "@/lib/data/hub/hub_settings.ts";
import { parseModelReference } from "@/lib/data/hub/model_reference.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { runCommand, warn } from "./command.ts";
import { spellBytes } from "./machine.ts";

async function main([cache, endpoint, ...references]: readonly string[]): Promise<number> {
  const token = hubToken(environmentValue("HF_TOKEN"));
  const paths: Record<string, string> = {};
  for (const text of references) {
    const hub = { reference: parseModelReference(text), endpoint: endpoint!, token };
    paths[text] = await downloadModel(hub, {
      cache: cache!,
      onStart({ name, bytes, here }) {
        const rest = here > 0 ? `, ${spellBytes(here)} already downloaded` : "";
        warn(`Downloading ${name} of ${text} (${spellBytes(bytes)}${rest})`);
      },
      warn: (message) => warn(`Warning: ${message}`),
    });
  }
  console.log(JSON.stringify(paths));
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main);

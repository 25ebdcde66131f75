import { machineEnvironment } from "./environment.ts";
import type { MachineProfile } from "./profile.ts";

/**
 * The content of /etc/machine-profile.json: the machine, what it has, and the environment that follows. Same profile, same
 * bytes. A file mounted over it changes the machine without a rebuild. An entry script sets each variable that its own environment lacks, so that `docker run -e` wins.
 * @example machineProfileFile(mainpc) // '{\n  "schema": 1,\n  "machine": "mainpc", …'
 */
export function machineProfileFile(profile: MachineProfile): string {
  const { machine, profile: entry, platform, cores, memory, gpu, driver } = profile;
  const content = {
    schema: 1,
    machine,
    profile: entry,
    platform,
    cores,
    memory_bytes: memory,
    gpu:
      gpu === undefined
        ? null
        : { name: gpu.name, compute_capability: gpu.capability, memory_bytes: gpu.memory, count: gpu.count },
    driver: driver ?? null,
    environment: machineEnvironment(profile),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { ExecaError, execa } from "execa";
import { z } from "zod";
import { isCapability, parseVersion } from "../core/cuda.ts";
import { UserError } from "../core/error.ts";
import type { SeenGpu, SeenMachine } from "../core/machine.ts";

const QUERY = ["--query-gpu=name,compute_cap,memory.total,driver_version", "--format=csv,noheader,nounits"];
const line = z.tuple([
  z.string().min(1),
  z.string().refine(isCapability),
  z.string().regex(/^\d{1,9}$/),
  z.string().refine((text) => parseVersion(text) !== undefined),
]);

/** nvidia-smi takes seconds where the driver has to wake the card first. */
const TIMEOUT_MS = 30_000;

/**
 * What this machine says of itself: its NVIDIA GPUs by nvidia-smi, its cores and memory by the kernel.
 * @throws UserError where there is no NVIDIA driver, or it finds no GPU.
 */
export async function probeMachine(environment: NodeJS.ProcessEnv = process.env): Promise<SeenMachine> {
  const gpus = parseNvidiaSmi(await nvidiaSmi(environment));
  if (gpus.length === 0) throw new UserError("the NVIDIA driver finds no GPU in this machine", BY_HAND);
  return { gpus, cores: physicalCores(), memoryMib: Math.floor(totalmem() / 1024 ** 2) };
}

/**
 * The GPUs that nvidia-smi lists when asked with {@link QUERY}.
 * @throws UserError for a line of another form.
 */
export function parseNvidiaSmi(text: string): SeenGpu[] {
  const lines = text.split("\n").map((l) => l.trim());
  return lines
    .filter((l) => l !== "" && !/^no devices were found/i.test(l))
    .map((l) => {
      const { success, data } = line.safeParse(l.split(",").map((cell) => cell.trim()));
      if (!success)
        throw new UserError(
          `expected "name, compute capability, MiB, driver" of nvidia-smi, found ${JSON.stringify(l)}`,
          `update the NVIDIA driver (510 was the first to tell compute_cap), or ${BY_HAND}`,
        );
      const [name, capability, memory, driver] = data;
      return { name, capability, memoryMib: Number(memory), driver };
    });
}

const BY_HAND = "pick a profile by hand: `keelson machine list`";

async function nvidiaSmi(environment: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { stdout } = await execa("nvidia-smi", QUERY, { timeout: TIMEOUT_MS, env: environment, extendEnv: false });
    return stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === "ENOENT")
      throw new UserError(
        "there is no NVIDIA driver here: nvidia-smi is not on PATH",
        `install the driver, or ${BY_HAND}`,
        { cause: error },
      );
    const said = [error.stdout, error.stderr].join("\n").trim().split("\n")[0] || error.shortMessage;
    throw new UserError(`nvidia-smi failed: ${said}`, `see that the driver is loaded, or ${BY_HAND}`, { cause: error });
  }
}

/** Cores that are not hyper-threads of others, and at most what this process may use. */
function physicalCores(): number {
  const cores = new Set<string>();
  let [socket, core] = ["", ""];
  for (const line of cpuinfo().split("\n")) {
    const [key = "", value = ""] = line.split(":").map((part) => part.trim());
    if (key === "physical id") socket = value;
    if (key === "core id") core = value;
    if (key === "" && core !== "") {
      cores.add(`${socket}/${core}`);
      [socket, core] = ["", ""];
    }
  }
  return cores.size === 0 ? availableParallelism() : Math.min(cores.size, availableParallelism());
}

function cpuinfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return ""; // not Linux
  }
}

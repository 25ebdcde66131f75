import { setTimeout as sleep } from "node:timers/promises";
import type { StackConfig } from "../config/schema.ts";
import { formatGateway, type GatewayHealth } from "../core/gateway-health.ts";
import type { ImageResult } from "../core/summary.ts";
import { runGateway } from "../toolchain/gateway.ts";
import { plainProgress } from "../toolchain/progress.ts";
import { askGateway, type RunningGateway } from "../toolchain/services/gateway.ts";
import { openStackRegistry } from "./targets.ts";

/** Tenths of a second that a fresh gateway's tools get to begin. */
const TRIES = 30;

/** Runs a stack's gateway on this machine, where it doesn't, and prints its health and how far its tools are. */
export async function showGateway(image: ImageResult, stack: string, config: StackConfig): Promise<void> {
  const open = () => openStackRegistry(stack, config.registry);
  const running = await runGateway(image, config.builder, open, plainProgress());
  if (running === undefined) {
    console.log(`${image.name} is built and not run: starting a container on this machine takes root\n`);
    return;
  }
  for (const notice of running.notices) console.error(`note: ${notice}`);
  console.log(`${formatGateway(image.name, running.url, await health(running))}\n`);
}

/** One that has just been started is given a moment to begin with its tools. */
async function health({ url, outcome }: RunningGateway): Promise<GatewayHealth> {
  for (let tries = outcome === "running" ? 1 : TRIES; ; tries--) {
    const found = await askGateway(url);
    const begun = Object.values(found.tools).some((state) => state !== "pending");
    if (begun || tries <= 1) return found;
    await sleep(100);
  }
}

import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { parseDocument } from "yaml";
import type { Platform } from "../core/platform.ts";
import { projectRoot } from "../toolchain/home.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureTool, linkReadyTools } from "../toolchain/tools.ts";

/** A copy of this checkout that a bench may change, with a stack dev of its own. */
export interface BenchCheckout {
  readonly root: string;
  /** `pulumi up --skip-preview`. @returns what it printed. */
  readonly up: () => Promise<string>;
  /** Takes the state away and makes the stack anew, as in a fresh clone. */
  readonly reset: () => Promise<void>;
}

/** Copies the checkout to a folder that is not there yet. */
export async function benchCheckout(
  root: string,
  stack: { readonly images: readonly string[]; readonly platforms: readonly Platform[] },
): Promise<BenchCheckout> {
  copyCheckout(root);
  const file = join(root, "Pulumi.dev.yaml");
  const yaml = parseDocument(readFileSync(file, "utf8"));
  yaml.deleteIn(["config", "keelson:gateway"]);
  yaml.setIn(["config", "keelson:images"], stack.images);
  yaml.setIn(["config", "keelson:platforms"], stack.platforms);
  yaml.setIn(["config", "keelson:builder"], "embedded");
  writeFileSync(file, yaml.toString());
  await ensureTool("pulumi");
  await linkReadyTools();
  // The copy's state, with the tools that this checkout has linked.
  const env = () => ({ ...pulumiEnvironment(root), PATH: String(pulumiEnvironment(projectRoot()).PATH) });
  const pulumi = async (...args: string[]) =>
    (await execa("pulumi", [...args, "--stack", "dev", "--non-interactive"], { cwd: root, env: env(), all: true })).all;
  const init = () => execa("pulumi", ["stack", "init", "dev", "--non-interactive"], { cwd: root, env: env() });
  await init();
  return {
    root,
    up: () => pulumi("up", "--yes", "--skip-preview"),
    async reset() {
      rmSync(join(root, ".keelson"), { recursive: true, force: true });
      await init();
    },
  };
}

/** This checkout with its dependencies, and without its state and history, in a folder that is not there yet. */
export function copyCheckout(root: string): void {
  cpSync(projectRoot(), root, {
    recursive: true,
    filter: (path) => !/\/(?:node_modules|\.keelson|\.git)(?:\/|$)/.test(path.slice(projectRoot().length)),
  });
  symlinkSync(join(projectRoot(), "node_modules"), join(root, "node_modules"));
}

/** Appends a line to the last layer, or changes the one that was appended before. */
export function changeLastLayer(dockerfile: string, mark: string): void {
  const text = readFileSync(dockerfile, "utf8").replace(/^LABEL bench=.*\nRUN : bench .*\n/m, "");
  writeFileSync(dockerfile, `${text}LABEL bench=${mark}\nRUN : bench ${mark} > /tmp/bench\n`);
}

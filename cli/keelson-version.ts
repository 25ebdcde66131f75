import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../toolchain/home.ts";

/** @example "0.1.0" */
export function keelsonVersion(): string {
  return JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8")).version;
}

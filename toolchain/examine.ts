import { join } from "node:path";
import { formatBytes } from "../core/size.ts";
import { freeBytes } from "./disk.ts";
import { findDocker } from "./docker.ts";
import { type Home, home, projectRoot } from "./home.ts";
import { findTool } from "./resolve.ts";
import { rootlessNeeds, seeRootless } from "./services/rootless-needs.ts";
import { askGo, findGo, goObstacle } from "./sources/go.ts";
import type { Origin, ToolDefinition } from "./tool.ts";
import { CATALOGUE, TOOL_NAMES } from "./tools.ts";

/** What `keelson doctor` tells of one thing that keelson needs. */
export interface Examined {
  readonly name: string;
  readonly purpose: string;
  readonly state: "ready" | "missing" | "corrupt";
  /** Whether an `up` may need it; the others serve tests or the making of tools. */
  readonly required: boolean;
  readonly version?: string;
  readonly origin?: Origin;
  readonly path?: string;
  /** What is wrong, where more can be said than that it is missing. */
  readonly detail?: string;
  /** The one command, or what to install. */
  readonly fix?: string;
}

/** Looks at every tool without getting any; cache entries are hashed in full. */
export async function examine(h: Home = home()): Promise<Examined[]> {
  return [
    await examineNode(),
    await examineDisk(h),
    ...(await Promise.all(TOOL_NAMES.map((name) => examineTool(name, CATALOGUE[name], h)))),
    await examineGo(),
    ...(await examineRootless()),
  ];
}

/** What the embedded builder needs of the machine where root doesn't start it; not needed where Docker builds. */
async function examineRootless(): Promise<Examined[]> {
  if (process.platform !== "linux" || process.getuid?.() === 0) return [];
  const required = (await findDocker(process.env)) === undefined;
  return rootlessNeeds(await seeRootless()).map(({ name, purpose, ready, detail, fix }) => ({
    name,
    purpose: `without root, the embedded builder: ${purpose}`,
    state: ready ? "ready" : "missing",
    required,
    detail,
    ...(fix === undefined ? {} : { fix }),
  }));
}

async function examineNode(): Promise<Examined> {
  const { node } = process.versions;
  return {
    name: "node",
    purpose: "runs keelson and its stacks",
    state: "ready",
    required: true,
    version: node,
    path: process.execPath,
  };
}

async function examineDisk(h: Home): Promise<Examined> {
  const detail = `${formatBytes(await freeBytes(h.root))} free`;
  return { name: "disk", purpose: "tools, images, caches", state: "ready", required: true, path: h.root, detail };
}

async function examineTool(name: string, definition: ToolDefinition, h: Home): Promise<Examined> {
  const about = {
    name,
    purpose: definition.purpose,
    required: definition.optional !== true && definition.lab !== true,
  };
  const found = await findTool(definition, h, "full");
  if (found.state === "ready") {
    const { version, origin, path } = found.tool;
    return { ...about, state: "ready", version, origin, path };
  }
  const obstacles = await Promise.all(definition.sources.map((source) => source.obstacle()));
  const fix = obstacles.some((obstacle) => obstacle === undefined)
    ? `npm run keelson -- tools ${name}`
    : obstacles.join("; ");
  return { ...about, state: found.state, fix, ...(found.state === "corrupt" ? { detail: found.reason } : {}) };
}

async function examineGo(): Promise<Examined> {
  const about = { name: "go", purpose: "builds the tools that can't be downloaded", required: false };
  const path = findGo();
  const fix = await goObstacle(join(projectRoot(), "toolchain", "go", "pulumi"), path);
  if (fix !== undefined || !path) return { ...about, state: "missing", fix: fix ?? "" };
  const { version } = await askGo(path);
  return { ...about, state: "ready", version, origin: "path", path };
}

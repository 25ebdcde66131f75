import { home, projectRoot } from "./home.ts";
import { linkTool } from "./links.ts";
import { type Progress, plainProgress } from "./progress.ts";
import { ensure, findTool } from "./resolve.ts";
import type { Tool, ToolDefinition } from "./tool.ts";
import { buildctl, buildkitd, buildx } from "./tools/buildkit.ts";
import { mmdebstrap, qemu, registry, runc, skopeo } from "./tools/debian.ts";
import { dockerBuild } from "./tools/docker-build.ts";
import { hadolint } from "./tools/hadolint.ts";
import {
  coredns,
  etcd,
  helm,
  kubeApiserver,
  kubeControllerManager,
  kubeconform,
  kubelet,
  kubeProxy,
  kubeScheduler,
  kwok,
} from "./tools/kubernetes.ts";
import { osvScanner } from "./tools/osv-scanner.ts";
import { pulumi } from "./tools/pulumi.ts";
import { uv } from "./tools/uv.ts";

/** Every tool that keelson may need, in the order in which `keelson doctor` lists them. */
export const CATALOGUE = {
  pulumi,
  buildkitd,
  buildctl,
  buildx,
  runc,
  "docker-registry": registry,
  qemu,
  mmdebstrap,
  "docker-build": dockerBuild,
  skopeo,
  uv,
  hadolint,
  "osv-scanner": osvScanner,
  etcd,
  "kube-apiserver": kubeApiserver,
  "kube-controller-manager": kubeControllerManager,
  "kube-scheduler": kubeScheduler,
  kubelet,
  "kube-proxy": kubeProxy,
  coredns,
  helm,
  kubeconform,
  kwok,
} as const satisfies Record<string, ToolDefinition>;

export type ToolName = keyof typeof CATALOGUE;

export const TOOL_NAMES = Object.keys(CATALOGUE) as ToolName[];

/** What `keelson tools` gets when none is named: neither a test's alone, nor what is got when it is asked for. */
export const DEFAULT_TOOLS: readonly ToolName[] = TOOL_NAMES.filter(
  (name) => name !== "skopeo" && !("lab" in CATALOGUE[name]),
);

const known = new Map<ToolName, Promise<Tool>>();

/**
 * The tool, ready to run, and linked so that `keelson env` puts it on PATH.
 * @example const { path } = await ensureTool("buildctl");
 * @throws UserError where there is no way to get it from here.
 */
export function ensureTool(name: ToolName, progress: Progress = plainProgress()): Promise<Tool> {
  const found = known.get(name) ?? ensureLinked(CATALOGUE[name], progress);
  known.set(name, found);
  found.catch(() => known.delete(name));
  return found;
}

async function ensureLinked(definition: ToolDefinition, progress: Progress): Promise<Tool> {
  const tool = await ensure(definition, progress);
  linkTool(definition, tool, projectRoot(), home());
  return tool;
}

/** Links what is there already, and gets nothing. */
export async function linkReadyTools(): Promise<void> {
  for (const definition of Object.values(CATALOGUE)) {
    const found = await findTool(definition);
    if (found.state === "ready") linkTool(definition, found.tool, projectRoot(), home());
  }
}

/** Whether a tool can be run without getting anything first. */
export async function isReady(name: ToolName): Promise<boolean> {
  return (await findTool(CATALOGUE[name])).state === "ready";
}

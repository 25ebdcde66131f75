import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { UserError } from "../core/error.ts";
import { canonicalJson, sha256 } from "../core/hash.ts";
import type { BuilderNode } from "../core/plan.ts";
import type { Platform } from "../core/platform.ts";
import { type BuildxBuilder, bootBuilder, buildxConfigDirectory, ensureBuildxBuilders } from "./buildx.ts";
import { BUILDKIT_IMAGE, dockerBuilder, findDocker } from "./docker.ts";
import { writeFileChanged } from "./files.ts";
import { nativePlatform } from "./platform.ts";
import { type Progress, plainProgress } from "./progress.ts";
import { ensureRegistry, ensureServices } from "./services/index.ts";
import { grpcAnswers } from "./services/socket.ts";

/** `keelson:builder`, as config/schema.ts reads it. */
export type BuilderSetting =
  | "auto"
  | "embedded"
  | "docker"
  | { readonly docker: { readonly image?: string | undefined } }
  | { readonly remote: { readonly nodes: readonly RemoteNode[] } }
  | { readonly kubernetes: KubernetesSetting };

/** A BuildKit daemon of one's own. */
export interface RemoteNode {
  readonly name: string;
  /** @example "tcp://10.0.0.2:1234", "ssh://build@10.0.0.2", "unix:///run/buildkit/buildkitd.sock" */
  readonly address: string;
  /** What it builds natively. */
  readonly platforms: readonly Platform[];
  /** Files for a daemon that listens with TLS. */
  readonly tls?: TlsSetting | undefined;
}

export interface TlsSetting {
  /** PEM of the CA that signed the daemon's certificate. Default: what the system trusts. */
  readonly ca?: string | undefined;
  /** PEM of the client's certificate and key. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Name in the daemon's certificate. Default: the address's host. */
  readonly serverName?: string | undefined;
}

export interface KubernetesSetting {
  /** Of the kubeconfig. Default: its current one. */
  readonly context?: string | undefined;
  /** Default: the context's. */
  readonly namespace?: string | undefined;
  /** Pods that builds are spread over. Default: 1. */
  readonly replicas?: number | undefined;
  /** Platforms of the cluster's nodes. Default: this machine's. */
  readonly platforms?: readonly Platform[] | undefined;
  /** BuildKit's image. Default: moby/buildkit of the embedded builder's version. */
  readonly image?: string | undefined;
}

/** One place to build, as buildx and BuildKit's clients reach it. */
export interface ResolvedNode extends BuilderNode {
  /** Name of its buildx builder, which {@link Builder.env} makes known. */
  readonly builder: string;
  /** Address of the daemon, where it can be spoken to without buildx. */
  readonly address?: string;
}

/** Who builds, resolved: every node is a buildx builder of its own, so that each platform can be sent to its node. */
export interface Builder {
  readonly kind: "embedded" | "docker" | "remote" | "kubernetes";
  readonly nodes: readonly ResolvedNode[];
  /** What buildx needs in its environment to know the builders. */
  readonly env: Readonly<Record<string, string>>;
  /** What a person should know. */
  readonly notices: readonly string[];
}

/**
 * Finds out who builds and makes it ready: `auto` is a Docker daemon with BuildKit that answers at once and can start a
 * builder, else the embedded one, which is started.
 * @example
 * const { nodes, env } = await resolveBuilder("auto");
 * await execa("buildx", ["build", "--builder", nodes[0].builder, …], { env });
 * @throws UserError where the wanted builder can't be had.
 */
export async function resolveBuilder(setting: BuilderSetting, progress: Progress = plainProgress()): Promise<Builder> {
  if (setting === "embedded") return embedded(progress);
  if (setting === "docker") return docker(undefined, progress);
  if (setting === "auto") return automatic(progress);
  if ("docker" in setting) return docker(setting.docker.image, progress);
  if ("remote" in setting) return remote(setting.remote.nodes, progress);
  return kubernetes(setting.kubernetes, progress);
}

/**
 * The nodes that don't answer now, so that a build can say so at once instead of after BuildKit's 20 s.
 * Nodes reached by TLS, ssh or a cluster aren't asked: only buildx knows how.
 */
export async function silentNodes(nodes: readonly ResolvedNode[]): Promise<ResolvedNode[]> {
  const answers = await Promise.all(nodes.map((node) => nodeAnswers(node.address)));
  return nodes.filter((_, i) => answers[i] === false);
}

/** Whether a daemon answers; undefined where it can't be asked. */
async function nodeAnswers(address: string | undefined): Promise<boolean | undefined> {
  const [, scheme, rest] = /^(unix|tcp):\/\/(.+)$/.exec(address ?? "") ?? [];
  if (rest === undefined) return undefined;
  if (scheme === "unix") return grpcAnswers({ path: rest });
  const { hostname, port } = new URL(`tcp://${rest}`);
  return grpcAnswers({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || "1234") });
}

async function automatic(progress: Progress): Promise<Builder> {
  if ((await findDocker(process.env)) === undefined) return embedded(progress);
  try {
    return await docker(undefined, progress);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const builder = await embedded(progress);
    return { ...builder, notices: [`the embedded builder is used: ${error.message}`, ...builder.notices] };
  }
}

async function embedded(progress: Progress): Promise<Builder> {
  const { buildkit, notices } = await ensureServices(progress);
  const { address, native } = buildkit;
  const builder: BuildxBuilder = { name: "keelson-local", driver: "remote", nodes: [{ endpoint: address }] };
  await ensureBuildxBuilders([builder], progress);
  const emulated = buildkit.platforms.filter((p) => !native.includes(p));
  const nodes = [{ name: "local", native, emulated, builder: builder.name, address }];
  return { kind: "embedded", nodes, env: buildxEnvironment(), notices };
}

async function docker(image: string | undefined, progress: Progress): Promise<Builder> {
  const daemon = await findDocker(process.env);
  if (daemon === undefined)
    throw new UserError(
      `expected a Docker daemon with BuildKit, found none that answers (DOCKER_HOST is ${process.env.DOCKER_HOST ?? "not set"})`,
      "start Docker 23 or later, or set keelson:builder to embedded",
    );
  const { notices, ...registry } = await ensureRegistry(progress);
  const builder = await dockerBuilder(daemon, registry, image);
  await ensureBuildxBuilders([builder], progress);
  const platforms = await bootBuilder(builder.name, progress);
  const native = platforms.filter((p) => p === daemon.platform);
  const emulated = platforms.filter((p) => p !== daemon.platform);
  const nodes = [{ name: "local", native, emulated, builder: builder.name }];
  return { kind: "docker", nodes, env: buildxEnvironment(), notices };
}

async function remote(nodes: readonly RemoteNode[], progress: Progress): Promise<Builder> {
  const resolved = nodes.map((node) => ({
    name: node.name,
    native: node.platforms,
    emulated: [],
    builder: remoteBuilderName(node),
    ...(node.tls === undefined ? { address: node.address } : {}),
  }));
  const builders = nodes.map((node) => ({
    name: remoteBuilderName(node),
    driver: "remote" as const,
    nodes: [{ endpoint: node.address, options: tlsOptions(node.tls) }],
  }));
  await ensureBuildxBuilders(builders, progress);
  return { kind: "remote", nodes: resolved, env: buildxEnvironment(), notices: [] };
}

/** Begin of the names of a node's buildx builders. */
export const remoteBuilders = (node: string): string => `keelson-remote-${node}-`;

/** A node's buildx builder: stacks may give different daemons one name, and they build at the same time. */
export function remoteBuilderName({ name, address, tls }: Omit<RemoteNode, "platforms">): string {
  return remoteBuilders(name) + sha256(canonicalJson([address, tlsOptions(tls)])).slice(0, 8);
}

/** The remote driver's names of them; it wants absolute paths. */
function tlsOptions(tls: TlsSetting | undefined): Record<string, string> {
  const file = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  const options = {
    cacert: file(tls?.ca),
    cert: file(tls?.certificate),
    key: file(tls?.key),
    servername: tls?.serverName,
  };
  return Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

async function kubernetes(setting: KubernetesSetting, progress: Progress): Promise<Builder> {
  // One for each place of a cluster, so that stacks on two clusters don't take each other's away.
  const place = sha256(canonicalJson([setting.context ?? "", setting.namespace ?? ""])).slice(0, 8);
  const name = `keelson-kubernetes-${place}`;
  const native = setting.platforms ?? [nativePlatform()].filter((platform) => platform !== undefined);
  const options = {
    image: setting.image ?? BUILDKIT_IMAGE,
    replicas: String(setting.replicas ?? 1),
    ...(setting.namespace === undefined ? {} : { namespace: setting.namespace }),
  };
  const builder: BuildxBuilder = {
    name,
    driver: "kubernetes",
    // A deployment for each platform, on the cluster's nodes of that architecture.
    nodes: native.map((platform) => {
      const arch = platform.split("/")[1];
      return {
        name: `${name}-${arch}`,
        platforms: [platform],
        options: { ...options, nodeselector: `kubernetes.io/arch=${arch}` },
      };
    }),
  };
  await ensureBuildxBuilders([builder], progress);
  const env = { ...buildxEnvironment(), ...(await kubernetesContext(setting.context, place)) };
  return { kind: "kubernetes", nodes: [{ name: "kubernetes", native, emulated: [], builder: name }], env, notices: [] };
}

/**
 * The variables that choose a context of the kubeconfig: a file that names it stands before the user's own, and of
 * merged files the first wins. No credential is copied.
 */
async function kubernetesContext(context: string | undefined, place: string): Promise<Record<string, string>> {
  if (context === undefined) return {};
  const file = join(buildxConfigDirectory(), `kubernetes-context-${place}.json`);
  const config = { apiVersion: "v1", kind: "Config", "current-context": context };
  await writeFileChanged(file, `${JSON.stringify(config)}\n`, 0o600);
  const own = process.env.KUBECONFIG || join(homedir(), ".kube", "config");
  return { KUBECONFIG: [file, own].join(delimiter) };
}

function buildxEnvironment(): Record<string, string> {
  return { BUILDX_CONFIG: buildxConfigDirectory() };
}

import { createWriteStream } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { z } from "zod";
import type { PlannedMinikube } from "../core/cluster-plan.ts";
import { UserError } from "../core/error.ts";
import { formatReference, parseReference } from "../core/reference.ts";
import { parseSize } from "../core/size.ts";
import { withLock } from "./lock.mjs";

/** What a run of minikube gave. */
export interface MinikubeAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs minikube. */
export type RunMinikube = (args: readonly string[]) => Promise<MinikubeAnswer>;

/** An image of a node. */
export interface NodeImage {
  /** Hex, without the algorithm: of its config, or with containerd's store in Docker of its manifest. */
  readonly id: string;
  /** Whole names. @example ["docker.io/library/todo-backend:1.0.0"] */
  readonly tags: readonly string[];
}

/** One platform of an image on its way to a node. */
export interface LoadableImage {
  /** What the node shall know it as; whoever runs it writes the same. @example "todo-backend:1.0.0" */
  readonly name: string;
  /** Its digests, of config and manifest: the node's id is one of them. */
  readonly digests: readonly string[];
  /** The archive that `docker load` takes. */
  readonly archive: () => Readable;
}

/** Exit code of minikube where there is no such profile: reason.ExGuestNotFound, as of v1.37. */
const NO_PROFILE = 85;
/** How often a pod that ends is waited for, 2 s each time: 40 s, and pods have 30 s to end where they say nothing else. */
const TRIES = 20;
const PAUSE = 2000;
/** `minikube status -o json`, as of v1.37: a node, or a list of them for profiles of several. */
const nodeSchema = z.looseObject({ Host: z.string(), APIServer: z.string().optional() });
const statusSchema = z.union([nodeSchema, z.array(nodeSchema).min(1)]);
type NodeStatus = z.infer<typeof nodeSchema>;
/** `minikube image ls --format json`, as of v1.37. */
const imagesSchema = z.array(
  z.looseObject({
    id: z.string(),
    repoTags: z.array(z.string()).nullish(),
    repoDigests: z.array(z.string()).nullish(),
  }),
);
const podsSchema = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ deletionTimestamp: z.string().optional() }).optional(),
      status: z.looseObject({ phase: z.string().optional() }).optional(),
      spec: z.looseObject({
        containers: z.array(z.looseObject({ image: z.string() })),
        initContainers: z.array(z.looseObject({ image: z.string() })).optional(),
      }),
    }),
  ),
});

/** minikube as it is on PATH. @throws UserError where it is not */
export const runMinikube: RunMinikube = async (args) => {
  const { exitCode, stdout, stderr, failed, code } = await execa("minikube", args, { reject: false, input: "" });
  if (failed && code === "ENOENT")
    throw new UserError(
      "minikube is not on PATH",
      "install it (minikube.sigs.k8s.io/docs/start), or name another cluster",
    );
  return { exitCode: exitCode ?? 1, stdout, stderr };
};

/**
 * Sees to it that a profile runs.
 * @returns what was done
 * @throws UserError where it may not be started, or does not start: with minikube's own last words
 */
export async function ensureMinikube(
  wanted: PlannedMinikube,
  run: RunMinikube = runMinikube,
): Promise<"runs" | "started"> {
  const { profile } = wanted;
  const { stdout } = await run(["status", "-p", profile, "-o", "json"]);
  const parsed = statusSchema.safeParse(json(stdout));
  const nodes = parsed.success ? [parsed.data].flat() : [];
  const [isUp, state] = stateOf(nodes);
  if (isUp) return "runs";
  if (!wanted.start)
    throw new UserError(
      `Minikube's profile ${profile} ${state}, and start is false`,
      `run \`minikube ${state.endsWith("Paused") ? "unpause" : "start"} -p ${profile}\`, or set start to true`,
    );
  const started = await run(["start", "-p", profile, ...startOptions(wanted)]);
  if (started.exitCode !== 0)
    throw new UserError(
      `Minikube's profile ${profile} does not start:\n${lastLines(started)}`,
      `mend what it names, then run this again; \`minikube delete -p ${profile}\` starts over`,
    );
  return "started";
}

/** Whether a profile serves, and in words what it does; its first node has the API server. */
function stateOf(nodes: readonly NodeStatus[]): readonly [isUp: boolean, state: string] {
  const hosts = new Set(nodes.map(({ Host }) => Host));
  if (hosts.size === 0) return [false, "is not there"];
  if (hosts.size > 1 || !hosts.has("Running")) return [false, `is ${[...hosts].join(", ")}`];
  const { APIServer = "not there" } = nodes[0] ?? {};
  return [APIServer === "Running", `runs, but its API server is ${APIServer}`];
}

/** Options of `minikube start`; those of a profile that is there already are its own. */
function startOptions({ driver, cpus, memory, gpus }: PlannedMinikube): string[] {
  return [
    ...(driver === undefined ? [] : [`--driver=${driver}`]),
    ...(cpus === undefined ? [] : [`--cpus=${cpus}`]),
    ...(memory === undefined ? [] : [`--memory=${Math.ceil(parseSize(memory) / 1024 ** 2)}mb`]),
    ...(gpus === undefined ? [] : [`--gpus=${gpus}`]),
  ];
}

/** Images of a profile's node. */
export async function minikubeImages(profile: string, run: RunMinikube = runMinikube): Promise<NodeImage[]> {
  const answer = await run(["image", "ls", "-p", profile, "--format", "json"]);
  const parsed = imagesSchema.safeParse(json(answer.stdout));
  if (answer.exitCode !== 0 || !parsed.success)
    throw new UserError(
      `Minikube's profile ${profile} does not list its images:\n${lastLines(answer)}`,
      `see \`minikube status -p ${profile}\`; needed is minikube 1.26 or newer`,
    );
  return parsed.data.map(({ id, repoTags }) => ({ id: hex(id), tags: (repoTags ?? []).map(wholeName) }));
}

/**
 * Sees to it that a profile's node has an image by a name that it once had.
 * @param again loads it; false where there is none to load any more
 * @throws UserError where it is nowhere
 */
export async function requireOnNode(
  profile: string,
  name: string,
  again: () => Promise<boolean>,
  run: RunMinikube = runMinikube,
): Promise<void> {
  if ((await minikubeImages(profile, run)).some(({ tags }) => tags.includes(wholeName(name)))) return;
  if (await again()) return;
  throw new UserError(
    `Minikube's profile ${profile} has no ${name} any more, and neither has the registry: an image is removed when its successor serves`,
    "check out the revision that built it, then `npm run up`: it is loaded again and nothing is built anew",
  );
}

/** Where a load works. */
export interface LoadPlaces {
  /** For the archive; of this load alone. */
  readonly folder: string;
  /** Of all loads of this user. */
  readonly locks: string;
}

/**
 * Loads an image into a profile's node, where the node lacks it under that name. Loads into one profile take turns, and no two
 * archives have one name: minikube puts them all into one folder of the node, by their names, and locks nothing between processes
 * (pkg/minikube/machine/cache_images.go).
 * @throws UserError where minikube says that it did and the node does not have it
 */
export async function loadIntoMinikube(
  profile: string,
  image: LoadableImage,
  { folder, locks }: LoadPlaces,
  run: RunMinikube = runMinikube,
): Promise<"there" | "loaded"> {
  return withLock(join(locks, `minikube-${profile}.lock`), () => loadOne(profile, image, folder, run), {
    what: `loading ${image.name} into Minikube's profile ${profile}`,
    inTurn: true,
  });
}

async function loadOne(
  profile: string,
  image: LoadableImage,
  folder: string,
  run: RunMinikube,
): Promise<"there" | "loaded"> {
  if (await has(profile, image, run)) return "there";
  const file = join(folder, archiveName(image));
  await pipeline(image.archive(), createWriteStream(file));
  const answer = await run(["image", "load", "-p", profile, file]);
  if (answer.exitCode !== 0 || !(await has(profile, image, run)))
    throw new UserError(
      `${image.name} could not be loaded into Minikube's profile ${profile}:\n${lastLines(answer) || "`minikube image ls` lacks it"}`,
      `see \`minikube status -p ${profile}\` and whether its disk is full: \`minikube ssh -p ${profile} -- df -h /var\``,
    );
  return "loaded";
}

/**
 * Removes images of a profile's node that no pod uses; what a pod uses stays. Pods that are ending are waited for, those that
 * have ended use nothing; a profile that is gone has nothing to remove.
 * @param pause between two looks at pods that are ending
 * @returns the whole names of what was removed
 * @throws UserError where nobody says what pods use: then nothing is removed; and for what could not be removed
 */
export async function removeFromMinikube(
  profile: string,
  names: readonly string[],
  run: RunMinikube = runMinikube,
  pause: () => Promise<unknown> = () => sleep(PAUSE),
): Promise<string[]> {
  if ((await run(["status", "-p", profile, "-o", "json"])).exitCode === NO_PROFILE) return [];
  const removed: string[] = [];
  let left: ReadonlyMap<string, string> = new Map(names.map((name) => [wholeName(name), ""]));
  for (let tries = 0; left.size > 0; tries++) {
    if (tries > 0) await pause();
    left = await removeOnce(profile, [...left.keys()], removed, run);
    if (left.size > 0 && tries === TRIES)
      throw new UserError(
        `Minikube's profile ${profile} keeps images that nothing runs any more:\n${[...left].map(([name, why]) => `${name}: ${why}`).join("\n")}`,
        "run this again; `kubectl get pods --all-namespaces` shows pods that do not end",
      );
  }
  return removed;
}

/** @returns what is there yet and shall not be, with why */
async function removeOnce(
  profile: string,
  names: readonly string[],
  removed: string[],
  run: RunMinikube,
): Promise<ReadonlyMap<string, string>> {
  const [there, { used, ending }] = [await minikubeImages(profile, run), await usedImages(profile, run)];
  const left = new Map<string, string>();
  for (const name of names) {
    if (used.has(name) || !there.some(({ tags }) => tags.includes(name))) continue;
    if (ending.has(name)) {
      left.set(name, "pods that are ending use it");
      continue;
    }
    const answer = await run(["image", "rm", "-p", profile, name]);
    if (answer.exitCode === 0) removed.push(name);
    else left.set(name, lastLines(answer));
  }
  return left;
}

interface UsedImages {
  readonly used: ReadonlySet<string>;
  /** By pods that are being deleted. */
  readonly ending: ReadonlySet<string>;
}

async function usedImages(profile: string, run: RunMinikube): Promise<UsedImages> {
  const answer = await run(["kubectl", "-p", profile, "--", "get", "pods", "--all-namespaces", "-o", "json"]);
  const parsed = podsSchema.safeParse(json(answer.stdout));
  if (answer.exitCode !== 0 || !parsed.success)
    throw new UserError(
      `Minikube's profile ${profile} does not say which images its pods use:\n${lastLines(answer)}`,
      `see \`minikube status -p ${profile}\``,
    );
  const [used, ending] = [new Set<string>(), new Set<string>()];
  for (const { metadata, status, spec } of parsed.data.items) {
    if (status?.phase === "Succeeded" || status?.phase === "Failed") continue;
    const images = metadata?.deletionTimestamp === undefined ? used : ending;
    for (const { image } of [...spec.containers, ...(spec.initContainers ?? [])]) images.add(wholeName(image));
  }
  return { used, ending };
}

/** Of a name and what it names: an archive has both in it. @example "todo-backend_1.0.0-1a2b3c4d5e6f7a8b.tar" */
function archiveName({ name, digests: [digest = ""] }: LoadableImage): string {
  return `${name.replaceAll(/[^\w.-]/g, "_")}-${hex(digest).slice(0, 16)}.tar`;
}

async function has(profile: string, { name, digests }: LoadableImage, run: RunMinikube): Promise<boolean> {
  const [whole, ids] = [wholeName(name), digests.map(hex)];
  return (await minikubeImages(profile, run)).some(({ id, tags }) => ids.includes(id) && tags.includes(whole));
}

/** As nodes name images: with a registry. What is no name (`<none>:<none>`) stays as it is. */
function wholeName(name: string): string {
  try {
    return formatReference(parseReference(name));
  } catch {
    return name;
  }
}

function hex(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function lastLines({ stdout, stderr }: MinikubeAnswer): string {
  return `${stdout}\n${stderr}`.trim().split("\n").slice(-8).join("\n");
}

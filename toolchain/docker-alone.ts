import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { execa } from "execa";
import { z } from "zod";
import { daemonPlatform } from "../core/docker-alone.ts";
import { UserError } from "../core/error.ts";
import type { Platform } from "../core/platform.ts";
import { bootBuilder, builderNames, ensureBuildxBuilders, removeBuilder, stopBuilder } from "./buildx.ts";
import { BUILDKIT_IMAGE } from "./docker.ts";
import type { Progress } from "./progress.ts";

/** What a run of docker's client gave. */
export interface DockerAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs docker's client, which knows where its daemon is: contexts, DOCKER_HOST, sockets, named pipes, ssh. */
export type RunDocker = (args: readonly string[], input?: Readable) => Promise<DockerAnswer>;

/** A daemon that answers. */
export interface DockerServer {
  /** What its client calls it: an address, or a context's name. */
  readonly endpoint: string;
  readonly version: string;
  readonly platform: Platform;
}

/** `docker version --format '{{json .Server}}'` */
const serverSchema = z.looseObject({ Version: z.string(), Os: z.string(), Arch: z.string() });

/** docker as it is on PATH. @throws UserError where it is not */
export const runDocker: RunDocker = async (args, input) => {
  const { exitCode, stdout, stderr, code, originalMessage } = await execa("docker", args, {
    reject: false,
    // Archives are streams that are not node's own.
    ...(input === undefined ? { stdin: "ignore" as const } : { input: Readable.from(input, { objectMode: false }) }),
  });
  if (code === "ENOENT")
    throw new UserError(
      "docker is not on PATH",
      "install Docker (docs.docker.com/get-started/get-docker), and start it",
    );
  return { exitCode: exitCode ?? 1, stdout, stderr: stderr || (originalMessage ?? "") };
};

/** The daemon that docker's client speaks to. @throws UserError where none answers, or it runs no Linux. */
export async function findDockerServer(
  env: Readonly<Record<string, string | undefined>>,
  run: RunDocker = runDocker,
): Promise<DockerServer> {
  const answer = await run(["version", "--format", "{{json .Server}}"]);
  const server = serverSchema.safeParse(json(answer.stdout)).data;
  if (answer.exitCode !== 0 || server === undefined)
    throw new UserError(
      `Docker does not answer: ${lastLine(answer)}`,
      "start Docker Desktop, Colima or the like, or set DOCKER_HOST to a daemon; `docker version` shows when it is there",
    );
  const platform = daemonPlatform(server.Os, server.Arch);
  const endpoint =
    env.DOCKER_HOST || (await run(["context", "inspect", "--format", "{{.Name}}"])).stdout.trim() || "default";
  return { endpoint, version: server.Version, platform };
}

/** How often a daemon is asked what it builds that answers and lists nothing; buildx gives each question 20 s. */
const BOOTS = 5;

/** Begin of the names of builders that are Docker's alone. */
const PREFIX = "keelson-alone-";

/**
 * BuildKit in a container of that daemon's, whose own builder writes no image layouts: started where it doesn't run. It reaches what the
 * daemon reaches, and knows of no registry of keelson's.
 * @param image of BuildKit. Default: moby/buildkit of the version that keelson is tested with.
 * @returns the buildx builder's name
 * @throws UserError where it does not start, or does not build the daemon's platform.
 */
export async function ensureAlone(
  { endpoint, platform }: DockerServer,
  image: string | undefined,
  progress: Progress,
): Promise<string> {
  const name = `${PREFIX}${createHash("sha256").update(endpoint).digest("hex").slice(0, 8)}`;
  const options = { image: image ?? BUILDKIT_IMAGE, network: "host" };
  await ensureBuildxBuilders([{ name, driver: "docker-container", nodes: [{ endpoint, options }] }], progress);
  let platforms = await bootBuilder(name, progress);
  // One that has just begun may list none yet.
  for (let tries = 1; platforms.length === 0 && tries < BOOTS; tries++) platforms = await bootBuilder(name, progress);
  if (platforms.includes(platform)) return name;
  throw new UserError(
    `BuildKit on Docker at ${endpoint} does not build ${platform}, but ${platforms.join(", ") || "nothing"}`,
    `see \`docker logs buildx_buildkit_${name}0\``,
  );
}

/** Stops the builders that {@link ensureAlone} started; their caches stay. @returns whether one ran. */
export async function stopAlone(): Promise<boolean> {
  const stopped: boolean[] = [];
  for (const name of await builderNames(PREFIX)) stopped.push(await stopBuilder(name));
  return stopped.includes(true);
}

/** Removes them, and their caches. */
export async function removeAlone(): Promise<void> {
  for (const name of await builderNames(PREFIX)) await removeBuilder(name);
}

/** Whether there is one, running or not. */
export async function hasAlone(): Promise<boolean> {
  return (await builderNames(PREFIX)).length > 0;
}

/** An image on its way to Docker. */
export interface DockerImage {
  /** @example "todo-backend:1.0.0" */
  readonly name: string;
  /** Docker's id of it is one of these: of its config, or with containerd's store of its manifest. */
  readonly digests: readonly string[];
  /** The archive that `docker load` takes. */
  readonly archive: () => Readable;
}

/**
 * Loads an image into Docker, where it has another one or none by that name.
 * @throws UserError with what docker says, or where it took it and has something else in its place.
 */
export async function loadIntoDocker(
  { name, digests, archive }: DockerImage,
  run: RunDocker = runDocker,
): Promise<"there" | "loaded"> {
  const id = async () => (await run(["image", "inspect", "--format", "{{.Id}}", name])).stdout.trim();
  if (digests.includes(await id())) return "there";
  const answer = await run(["image", "load", "--quiet"], archive());
  if (answer.exitCode !== 0)
    throw new UserError(
      `Docker does not take ${name}: ${lastLine(answer)}`,
      "make room where its disk is full (`docker system df`), or see the daemon's own log",
    );
  const found = await id();
  if (digests.includes(found)) return "loaded";
  throw new UserError(
    `Docker took ${name}, but has ${found === "" ? "no such image" : found} in its place`,
    "see the daemon's own log, then run this again",
  );
}

function lastLine({ stdout, stderr }: DockerAnswer): string {
  return `${stdout}\n${stderr}`.trim().split("\n").at(-1) ?? "";
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

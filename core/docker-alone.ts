import { UserError } from "./error.ts";
import type { BuilderChoice } from "./nodes.ts";
import type { Plan, PlannedImage } from "./plan.ts";
import { PLATFORMS, type Platform } from "./platform.ts";

/** What decides who builds for this machine alone. */
export interface DockerAloneQuestion {
  /** Node's word for the system. @example "darwin" */
  readonly os: string;
  /** Whether it was asked for. */
  readonly asked: boolean;
  readonly builder: BuilderChoice;
  /** `keelson:bases`. */
  readonly bases: string;
}

/**
 * Whether images are built by Docker alone, with nothing of keelson's own running: everywhere but on Linux, and there where it is
 * asked for.
 * @example buildsByDockerAlone({ os: "darwin", asked: false, builder: "auto", bases: "auto" }) // true
 * @throws UserError where the stack's config wants another builder, or bases that this one can't make.
 */
export function buildsByDockerAlone({ os, asked, builder, bases }: DockerAloneQuestion): boolean {
  if (os === "linux" && !asked) return false;
  const why = asked ? "--docker" : systemName(os);
  const other = typeof builder === "string" ? builder : Object.keys(builder)[0];
  if (other !== "auto" && other !== "docker")
    throw new UserError(
      `${why} builds with Docker alone, and keelson:builder is ${other}`,
      asked ? "set keelson:builder to auto or docker, or leave out --docker" : "set keelson:builder to auto or docker",
    );
  if (bases === "bootstrapped")
    throw new UserError(
      `${why} takes bases from their registries, and keelson:bases is bootstrapped: making them needs the embedded builder, on Linux`,
      "set keelson:bases to auto",
    );
  return true;
}

function systemName(os: string): string {
  return { darwin: "macOS", win32: "Windows" }[os] ?? os;
}

/**
 * The platform that a Docker daemon runs natively.
 * @param os and arch as `docker version` has them
 * @throws UserError for one whose images keelson does not build.
 */
export function daemonPlatform(os: string, arch: string): Platform {
  const found = PLATFORMS.find((platform) => platform === `${os}/${arch}`);
  if (found !== undefined) return found;
  if (os === "windows")
    throw new UserError(
      "Docker runs Windows containers, and all images here are Linux'",
      "switch Docker Desktop to Linux containers",
    );
  throw new UserError(`Docker runs ${os}/${arch}, found no image for it`, `use a daemon of ${PLATFORMS.join(" or ")}`);
}

/** What Docker gets of a plan: names as it shall know them. @param wanted `keelson:images`; none: all. */
export function dockerNames(plan: Plan, wanted: readonly string[]): ReadonlyMap<string, string> {
  const images = plan.images.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  return new Map(images.map(({ name, version }) => [name, `${name}:${version}`]));
}

/** @throws UserError for images of a plan that are not built for a platform. */
export function requirePlatform({ images, stack }: Pick<Plan, "images" | "stack">, platform: Platform): void {
  const without = images.filter(({ builds }) => !builds.some((build) => build.platform === platform));
  if (without.length === 0) return;
  const has = ({ name, builds }: PlannedImage) => `${name} (${builds.map((b) => b.platform).join(", ") || "none"})`;
  throw new UserError(
    `Docker runs ${platform}, for which stack ${stack} does not build ${without.map(has).join(", ")}`,
    "add it to keelson:platforms, or to the platforms of image.ts",
  );
}

/** What a Dockerfile's FROM gets for an external base: by digest where the lock has one. */
export function upstreamReference({ bases }: Pick<Plan, "bases">, name: string): string {
  const digest = bases.find((base) => base.name === name)?.digest;
  return digest === undefined ? name : `${name}@${digest}`;
}

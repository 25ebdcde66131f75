import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../../core/error.ts";
import { platformSlug } from "../../../core/platform.ts";
import { runBuildx } from "../buildx.ts";
import { BuildFailure, describeFailure } from "../failure.ts";
import { stageDockerfile } from "../stage.ts";
import { type Place, placeArguments } from "./build.ts";

/** Name of the build context that stands for an image which is in no registry. */
const LAYOUT = "keelson-image";

/** A command to be run in a pushed image. */
export interface InsideOrder {
  /** Of the platform's manifest. */
  readonly digest: string;
  /** A word for it, in status lines and names of files. */
  readonly what: string;
  /** What a failure is told to be of. @example "the smoke test images/web/smoke" */
  readonly blamed: string;
  readonly fix: string;
  /** Folders by name of the build context. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Of the step. */
  readonly flags: readonly string[];
  readonly command: readonly string[];
}

/**
 * Runs a command inside of a pushed image, as the image's user, as a build step whose result nobody keeps: no container
 * daemon is needed, and a builder that knows image and command does not run it again. It has no network but a loopback of
 * its own: what other platforms or programs listen on can't answer for the image.
 * @throws UserError with the command's last lines when it fails; BuildFailure when it could not be run.
 */
export async function runInside(place: Place, order: InsideOrder): Promise<void> {
  const slug = platformSlug(place.platform);
  const name = order.what.replaceAll(" ", "-");
  const empty = join(place.work, `${name}-context-${slug}`);
  await mkdir(empty, { recursive: true });
  const { layout } = place;
  const ref = layout === undefined ? `${place.host}/${place.inputs.repository}@${order.digest}` : LAYOUT;
  const contexts = layout === undefined ? order.contexts : { ...order.contexts, [LAYOUT]: layout };
  const text = `FROM ${ref}\nRUN --network=none ${order.flags.join(" ")} ${JSON.stringify(order.command)}\n`;
  const file = stageDockerfile(text, join(place.work, `${name}-dockerfile-${slug}`));
  try {
    await runBuildx(place.buildx, {
      args: [
        ...placeArguments(place),
        ...["--file", file],
        ...Object.entries(contexts).flatMap(([name, folder]) => ["--build-context", `${name}=${folder}`]),
        ...["--output", "type=cacheonly"],
        empty,
      ],
      signal: place.signal,
      onStatus: () => place.onStatus(order.what),
      ping: place.ping,
    });
  } catch (error) {
    if (!(error instanceof BuildFailure) || error.kind !== "step") throw error;
    const log = error.step?.log.filter((line) => line.trim() !== "") ?? [];
    const last = describeFailure(error).message.split("\n").at(-1) ?? "";
    const why = /exit code: \d+$/.exec(last)?.[0] ?? last;
    throw new UserError([`${order.blamed} failed: ${why}`, ...log].join("\n  "), order.fix);
  }
}

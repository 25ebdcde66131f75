import { chmod, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../../core/error.ts";
import { platformSlug } from "../../../core/platform.ts";
import { runBuildx } from "../buildx.ts";
import { BuildFailure, describeFailure } from "../failure.ts";
import { stageDockerfile } from "../stage.ts";
import { type Place, placeArguments } from "./build.ts";
import type { ImageInputs } from "./inputs.ts";

/** Name of the build context that holds the script, and of the file below /dev where the test finds it. */
const CONTEXT = "keelson-smoke";
/** One name for every image's script: the step then reads the same, and its cache hangs on image and script alone. */
const FILE = "smoke";

/** Puts the smoke script into a folder of its own. @returns the folder; undefined where the image has no script. */
export async function stageSmoke(root: string, inputs: ImageInputs, work: string): Promise<string | undefined> {
  if (inputs.smoke === undefined) return undefined;
  const folder = join(work, "smoke");
  await mkdir(folder, { recursive: true });
  await copyFile(join(root, inputs.folder, inputs.smoke), join(folder, FILE));
  await chmod(join(folder, FILE), 0o755);
  return folder;
}

/**
 * Runs the smoke script inside of a pushed image, as the image's user, as a build step whose result nobody keeps: no
 * container daemon is needed, and a builder that knows image and script does not run it again.
 * The script is mounted below /dev, a tmpfs: nothing of it stays in any layer.
 * @throws UserError with the script's last lines when it fails; BuildFailure when it could not be run.
 */
export async function smokeTest(place: Place, script: string | undefined, digest: string): Promise<void> {
  if (script === undefined) return;
  const slug = platformSlug(place.platform);
  const empty = join(place.work, `smoke-context-${slug}`);
  await mkdir(empty, { recursive: true });
  const text = dockerfile(`${place.host}/${place.inputs.repository}@${digest}`);
  const file = stageDockerfile(text, join(place.work, `smoke-dockerfile-${slug}`));
  try {
    await runBuildx(place.buildx, {
      args: [
        ...placeArguments(place),
        ...["--file", file],
        ...["--build-context", `${CONTEXT}=${script}`],
        ...["--output", "type=cacheonly"],
        empty,
      ],
      signal: place.signal,
      onStatus: () => place.onStatus("smoke test"),
      ping: place.ping,
    });
  } catch (error) {
    if (!(error instanceof BuildFailure) || error.kind !== "step") throw error;
    const { folder, smoke } = place.inputs;
    const log = error.step?.log.filter((line) => line.trim() !== "") ?? [];
    throw new UserError(
      [`the smoke test ${folder}/${smoke} failed: ${describeFailure(error).message.split("\n").at(-1)}`, ...log].join(
        "\n  ",
      ),
      "mend the image or its smoke test, then run it again",
    );
  }
}

function dockerfile(ref: string): string {
  const script = `/dev/${CONTEXT}`;
  return `FROM ${ref}\nRUN --mount=type=bind,from=${CONTEXT},source=${FILE},target=${script} ["${script}"]\n`;
}

import { chmod, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Place } from "./build.ts";
import type { ImageInputs } from "./inputs.ts";
import { runInside } from "./inside.ts";

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
 * Runs the smoke script inside of a pushed image, as the image's user.
 * The script is mounted below /dev, a tmpfs: nothing of it stays in any layer.
 * @throws UserError with the script's last lines when it fails; BuildFailure when it could not be run.
 */
export async function smokeTest(place: Place, script: string | undefined, digest: string): Promise<void> {
  if (script === undefined) return;
  const { folder, smoke } = place.inputs;
  const target = `/dev/${CONTEXT}`;
  await runInside(place, {
    digest,
    what: "smoke test",
    blamed: `the smoke test ${folder}/${smoke}`,
    fix: "mend the image or its smoke test, then run it again",
    contexts: { [CONTEXT]: script },
    flags: [`--mount=type=bind,from=${CONTEXT},source=${FILE},target=${target}`],
    command: [target],
  });
}

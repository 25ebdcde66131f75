import type { Config } from "../config.ts";
import { LoaderError, reasonOf } from "../error.ts";
import { type Layout, layout } from "./layout.ts";
import { prepareRoot } from "./store.ts";

/** The root, or the ephemeral one where the root can't be used: tools must not be run from, nor unpacked to, a mount. */
export async function openRoot(config: Config, onNote: (message: string) => void): Promise<Layout> {
  const wanted = layout(config.TOOL_LOADER_ROOT);
  let reason: string;
  try {
    const disk = await prepareRoot(wanted);
    if (disk.remote === undefined) return wanted;
    reason = `is a ${disk.remote} mount`;
  } catch (error) {
    reason = `can't be used: ${reasonOf(error)}`;
  }
  const ephemeral = layout(config.TOOL_LOADER_EPHEMERAL_ROOT);
  onNote(`${wanted.root} ${reason}; tools go to ${ephemeral.root}`);
  try {
    await prepareRoot(ephemeral);
  } catch (cause) {
    throw new LoaderError(
      `neither ${wanted.root} nor ${ephemeral.root} can be written to: ${reasonOf(cause)}`,
      "set TOOL_LOADER_ROOT to a directory on local disk that this user may write to",
      { cause },
    );
  }
  return ephemeral;
}

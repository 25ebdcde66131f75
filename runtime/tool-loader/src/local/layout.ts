import { join } from "node:path";
import { directoryOf, type ToolSpec } from "../spec/tool-spec.ts";

/**
 * Where everything stands under the tools' root, on local disk:
 * ```
 * /data/tools/
 *   ck -> .versions/ck-search/0.8.1-<fingerprint>   what users see; switched by one rename
 *   bin/ck                                          the command, which installs its tool when that isn't there yet
 *   .versions/NAME/VERSION-FINGERPRINT/             the trees; one without `.installed` counts for nothing
 *   .loader/{staging,downloads,quarantine,logs,uploads}
 * ```
 */
export interface Layout {
  readonly root: string;
  readonly bin: string;
  readonly staging: string;
  readonly downloads: string;
  readonly quarantine: string;
  readonly logs: string;
  readonly uploads: string;
  /** The symlink that users see. */
  visible(spec: ToolSpec): string;
  versions(spec: ToolSpec): string;
  /** The tree that a tool is installed to. */
  tree(spec: ToolSpec, fingerprint: string): string;
}

export function layout(root: string): Layout {
  const own = join(root, ".loader");
  return {
    root,
    bin: join(root, "bin"),
    staging: join(own, "staging"),
    downloads: join(own, "downloads"),
    quarantine: join(own, "quarantine"),
    logs: join(own, "logs"),
    uploads: join(own, "uploads"),
    visible: (spec) => join(root, directoryOf(spec)),
    versions: (spec) => join(root, ".versions", spec.name),
    tree: (spec, fingerprint) => join(root, ".versions", spec.name, `${spec.version}-${fingerprint.slice(0, 12)}`),
  };
}

import type { Finding } from "../../finding.ts";
import { formatBytes } from "../../size.ts";
import type { SizeSetting } from "../facts.ts";
import { formatPlace } from "../places.ts";
import type { SizeClaim } from "../size-claims.ts";
import type { AdoptedTree } from "../tree.ts";
import { usesByImage } from "./ports.ts";

/** Memory limits and shared memory that differ between those who run an image, and image sizes that are told twice. */
export function sizesThatDisagree(tree: AdoptedTree, claims: ReadonlyMap<string, readonly SizeClaim[]>): Finding[] {
  const users = usesByImage(tree);
  return tree.images.flatMap((image) => {
    const settings = (users.get(image.id) ?? []).flatMap(({ sizes }) => sizes);
    const told = claims.get(image.id) ?? [];
    return [
      ...(["memory limit", "shared memory"] as const).flatMap((what) =>
        differ(
          image.name,
          what,
          settings.filter((one) => one.what === what),
        ),
      ),
      ...differ(image.name, "image size", told),
    ];
  });
}

function differ(
  subject: string,
  what: string,
  settings: readonly Pick<SizeSetting, "file" | "line" | "bytes" | "written">[],
): Finding[] {
  const [first] = settings;
  const other = settings.find(({ bytes }) => bytes !== first?.bytes);
  if (!first || !other) return [];
  const say = ({ written, bytes }: typeof first) => `${written} (${formatBytes(bytes)})`;
  return [
    {
      rule: "adopt/size-disagrees",
      severity: "info",
      subject,
      message: `${what} is ${say(first)} in ${formatPlace(first)} and ${say(other)} in ${formatPlace(other)}`,
      fix: "set it once, or say in both places why they differ",
      where: { file: other.file, line: other.line },
    },
  ];
}

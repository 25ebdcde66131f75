import { readFile } from "node:fs/promises";
import { execa } from "execa";
import { UserError } from "../../core/error.ts";

/**
 * Mount points below a folder, deepest first, as /proc/self/mountinfo lists them.
 * @example await mountsBelow("/home/me/.cache/keelson/services/buildkit") // ["/home/…/executor/x1/rootfs"]
 */
export async function mountsBelow(directory: string): Promise<string[]> {
  return parseMountPoints(await readFile("/proc/self/mountinfo", "utf8"))
    .filter((point) => point === directory || point.startsWith(`${directory}/`))
    .reverse();
}

/** Mount points of a mountinfo text in the order they were made; its octal escapes (`\040` is a space) undone. */
export function parseMountPoints(mountinfo: string): string[] {
  return mountinfo
    .split("\n")
    .map((line) => line.split(" ")[4])
    .filter((point) => point !== undefined)
    .map((point) => point.replaceAll(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));
}

/** Unmounts everything below a folder; what is busy is detached, and goes when its last user does. */
export async function unmountBelow(directory: string): Promise<string[]> {
  const points = await mountsBelow(directory);
  for (const point of points) {
    const plain = await execa("umount", ["--", point], { reject: false });
    if (plain.failed) await execa("umount", ["--lazy", "--", point], { reject: false });
  }
  const left = await mountsBelow(directory);
  if (left.length > 0)
    throw new UserError(
      `expected no mount below ${directory}, found ${left.length}, the first at ${left[0]}`,
      `umount them as root, then run this again`,
    );
  return points;
}

import { execa } from "execa";
import type { Platform } from "../../core/platform.ts";
import { resolvePackages } from "../../toolchain/debian/resolve.ts";
import { home } from "../../toolchain/home.ts";
import { fetchArtifacts, openStore } from "../../toolchain/store.ts";

const NATIVE: Platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";

/** Debian's packages of these names, and no others, unpacked into a folder: nothing is installed. @param tmp for apt's state */
export async function unpackPackages(names: readonly string[], root: string, tmp: string): Promise<void> {
  const query = { platform: NATIVE, suite: "bookworm", select: names };
  const { artifacts, snapshot } = await resolvePackages(query, tmp);
  const debs = artifacts.filter(({ name = "" }) => names.includes(name));
  for (const deb of await fetchArtifacts(debs, openStore(home().store), { snapshot }))
    await execa("dpkg-deb", ["--extract", deb, root]);
}

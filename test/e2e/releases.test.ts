import { HOST_ENGINES } from "../../core/host/service.ts";
import { LAB_RELEASES } from "../../toolchain/lab/index.ts";
import { fromBareToBare } from "./host/release.ts";
import { buildWeft } from "./host/weft.ts";

/** Podman is older than Quadlet there. */
const WITHOUT_QUADLET = ["bookworm", "jammy"];

/**
 * Every release and engine, a host each, from bare to bare: 4 to 10 minutes, for whoever changes what runs on hosts. Debian's with docker
 * are in every run of host.test.ts; these run where they are asked for: KEELSON_RELEASES=all, or names with commas.
 */
const asked = process.env.KEELSON_RELEASES ?? "";
(asked === "" ? describe.skip : describe)("hosts of each release", () => {
  for (const release of LAB_RELEASES)
    for (const engine of HOST_ENGINES) {
      if (engine === "podman" && WITHOUT_QUADLET.includes(release)) continue;
      if (asked !== "all" && !asked.split(",").includes(release)) continue;
      it(`${release} with ${engine}`, async () => fromBareToBare(release, engine, await buildWeft()));
    }
});

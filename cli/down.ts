import { Command } from "commander";
import { formatBytes } from "../core/size.ts";
import { hasBuilder, removeBuilder, stopBuilder } from "../toolchain/buildx.ts";
import { DOCKER_BUILDER } from "../toolchain/docker.ts";
import { hasAlone, removeAlone, stopAlone } from "../toolchain/docker-alone.ts";
import { purgeServices, servicesData, stopServices } from "../toolchain/services/index.ts";
import { confirm } from "./confirm.ts";

interface DownOptions {
  readonly purge?: boolean;
  readonly yes?: boolean;
}

/** `keelson down`: stops the embedded builder and registry, and says what it stopped. */
export function downCommand(): Command {
  return new Command("down")
    .description("stop the embedded builder and registry, and the gateway; images and caches stay")
    .option("--purge", "also delete the registry's images and the builders' caches, after listing them")
    .option("-y, --yes", "with --purge: don't ask")
    .action(async ({ purge, yes }: DownOptions) => {
      const services = hasServices() ? (await stopServices()).filter((service) => service.wasRunning) : [];
      const builders = [await stopBuilder(DOCKER_BUILDER), await stopAlone()];
      const stopped = [...services.map((s) => s.name), ...(builders.includes(true) ? ["BuildKit on Docker"] : [])];
      console.log(stopped.length === 0 ? "nothing was running" : `stopped: ${stopped.join(", ")}`);
      if (purge) await deleteData(yes ?? false);
    });
}

/** Elsewhere Docker alone builds. */
const hasServices = () => process.platform === "linux";

async function deleteData(sure: boolean): Promise<void> {
  const data = hasServices() ? await servicesData() : [];
  const onDocker = (await hasBuilder(DOCKER_BUILDER)) || (await hasAlone());
  if (data.length === 0 && !onDocker) return console.log("nothing to delete");
  for (const { what, size, directory } of data) console.log(`${formatBytes(size).padStart(8)}  ${what}  ${directory}`);
  if (onDocker) console.log(`${"?".padStart(8)}  cache of BuildKit on Docker  a volume of Docker's`);
  if (!sure && !(await confirm("delete all of this?"))) return console.log("nothing deleted");
  await removeBuilder(DOCKER_BUILDER);
  await removeAlone();
  if (hasServices()) await purgeServices();
  console.log(`deleted ${formatBytes(data.reduce((sum, { size }) => sum + size, 0))}`);
}

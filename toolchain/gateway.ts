import { UserError } from "../core/error.ts";
import { parseReference } from "../core/reference.ts";
import type { RegistryClient } from "../oci/client.ts";
import { readPlatforms } from "../oci/platforms.ts";
import { type BuilderSetting, resolveBuilder } from "./builder.ts";
import { home } from "./home.ts";
import { nativePlatform } from "./platform.ts";
import { type Progress, silent } from "./progress.ts";
import { unpackImage } from "./rootfs.ts";
import type { ImageProgram } from "./services/container.ts";
import { ensureGateway, execInGateway, type RunningGateway } from "./services/gateway.ts";
import { ensureTool } from "./tools.ts";

/** A gateway's image in a registry. */
export interface GatewayImage {
  /** With its digest. @example "localhost:5443/gateway-core@sha256:…" */
  readonly ref: string;
}

/**
 * Runs a gateway's image on this machine, supervised as builder and registry are. One that runs already with the same image
 * is left alone: neither registry nor builder is asked then.
 * @param open opens the image's registry
 * @returns undefined where this user can't start a container: without root.
 * @throws UserError where it doesn't come up.
 */
export async function runGateway(
  image: GatewayImage,
  builder: BuilderSetting,
  open: () => Promise<RegistryClient>,
  progress: Progress,
): Promise<RunningGateway | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  return ensureGateway(
    {
      image: image.ref,
      runc: (await ensureTool("runc", progress)).path,
      program: () => programOf(image, open),
      unpack: async (folder) => unpackImage(image.ref, folder, await resolveBuilder(builder, progress), progress),
    },
    progress,
  );
}

/**
 * Runs a command in the container of the gateway that {@link runGateway} has started.
 * @returns its exit code
 * @throws UserError without root, and where no gateway runs.
 */
export async function gatewayExec(command: readonly string[], tty: boolean): Promise<number> {
  if (process.getuid?.() !== 0)
    throw new UserError("a command in the gateway's container takes root", "run it as root, as `npm run up` was");
  const runc = (await ensureTool("runc", silent)).path;
  return execInGateway(home().services, command, { runc, tty });
}

async function programOf({ ref }: GatewayImage, open: () => Promise<RegistryClient>): Promise<ImageProgram> {
  const { repository, digest = "" } = parseReference(ref);
  const client = await open();
  try {
    const platforms = await readPlatforms(client, repository, digest);
    const native = platforms.find(({ platform }) => platform === nativePlatform());
    if (native === undefined) throw new Error(`${ref} has no ${nativePlatform()}`); // the builder that unpacks says so first
    const { Entrypoint, Cmd, Env, User, WorkingDir } = native.config.config ?? {};
    return {
      args: [...(Entrypoint ?? []), ...(Cmd ?? [])],
      env: Env ?? [],
      user: User ?? "",
      directory: WorkingDir ?? "",
    };
  } finally {
    client.close();
  }
}

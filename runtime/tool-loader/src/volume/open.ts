import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { DirectoryVolume } from "./directory.ts";
import { S3Volume } from "./s3.ts";
import type { Volume } from "./volume.ts";

/** The volume that the settings name; opening touches nothing. */
export function openVolume(config: Config, uploads: string, clock: Clock, random: () => number): Volume | undefined {
  const url = config.TOOL_LOADER_VOLUME;
  if (url === "") return undefined;
  const [scheme, rest] = url.split("://") as [string, string];
  if (scheme !== "s3") return new DirectoryVolume(rest, { mounted: scheme === "mount" });
  const [bucket, ...path] = rest.split("/") as [string, ...string[]];
  const prefix = path.filter((p) => p !== "").join("/");
  return new S3Volume({
    endpoint: config.TOOL_LOADER_S3_ENDPOINT ?? "",
    bucket,
    prefix: prefix === "" ? "" : `${prefix}/`,
    region: config.TOOL_LOADER_S3_REGION,
    accessKeyId: config.TOOL_LOADER_S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: config.TOOL_LOADER_S3_SECRET_ACCESS_KEY ?? "",
    sessionToken: config.TOOL_LOADER_S3_SESSION_TOKEN,
    clock,
    random,
    uploads,
  });
}

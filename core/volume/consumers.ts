/** Where a volume is and what opens it. */
export interface VolumeAccess {
  /** @example "https://0123….r2.cloudflarestorage.com" */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Ends with a slash, or empty. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * The tool loader's settings for a volume (docs/tool-loader.md); `secrets` is what no log and no plan may hold.
 * @example loaderEnvironment(access).environment.TOOL_LOADER_VOLUME // "s3://tools/gateway"
 */
export function loaderEnvironment(access: VolumeAccess): {
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
} {
  return {
    environment: {
      TOOL_LOADER_VOLUME: `s3://${access.bucket}/${access.prefix}`.replace(/\/$/, ""),
      TOOL_LOADER_S3_ENDPOINT: access.endpoint,
      TOOL_LOADER_S3_REGION: access.region,
      TOOL_LOADER_S3_ACCESS_KEY_ID: access.accessKeyId,
    },
    secrets: { TOOL_LOADER_S3_SECRET_ACCESS_KEY: access.secretAccessKey },
  };
}

/** The variables of {@link loaderEnvironment}, secret or not. */
export const LOADER_VARIABLES = [
  "TOOL_LOADER_S3_ACCESS_KEY_ID",
  "TOOL_LOADER_S3_ENDPOINT",
  "TOOL_LOADER_S3_REGION",
  "TOOL_LOADER_S3_SECRET_ACCESS_KEY",
  "TOOL_LOADER_VOLUME",
] as const;

/** A volume mounted on a host: a unit, and the file with its keys, which root alone may read. */
export interface HostMount {
  /** Named by its mount point, as systemd wants it. @example "srv-tools.mount" */
  readonly unit: string;
  readonly unitText: string;
  readonly configFile: string;
  readonly configText: string;
}

/**
 * A systemd mount of a volume by rclone (`mount.rclone` in the host's PATH: rclone's manual, "rclone mount", systemd).
 * @param where absolute path on the host.
 * @example hostMount("tools", access, "/srv/tools").unit // "srv-tools.mount"
 */
export function hostMount(name: string, access: VolumeAccess, where: string): HostMount {
  const { unit, configFile } = mountFiles(name, where);
  const options = [
    "rw",
    "_netdev",
    "allow_other",
    "args2env",
    "vfs-cache-mode=writes",
    // Whoever a container runs as: the folder above lets nobody else in.
    "umask=0",
    `config=${configFile}`,
    `cache-dir=/var/cache/keelson/rclone/${name}`,
  ];
  return {
    unit,
    unitText: [
      "[Unit]",
      `Description=Volume ${name} on ${where}`,
      "Wants=network-online.target",
      "After=network-online.target",
      "",
      "[Mount]",
      "Type=rclone",
      `What=${name}:${escapeSpecifiers(`${access.bucket}/${access.prefix}`.replace(/\/$/, ""))}`,
      `Where=${escapeSpecifiers(where)}`,
      `Options=${options.join(",")}`,
      "TimeoutSec=60",
      "",
      "[Install]",
      "WantedBy=multi-user.target",
      "",
    ].join("\n"),
    configFile,
    configText: [
      `[${name}]`,
      "type = s3",
      `provider = ${new URL(access.endpoint).hostname.endsWith(".r2.cloudflarestorage.com") ? "Cloudflare" : "Other"}`,
      `endpoint = ${access.endpoint}`,
      `region = ${access.region}`,
      `access_key_id = ${access.accessKeyId}`,
      `secret_access_key = ${access.secretAccessKey}`,
      // A bucket's token may not list or make buckets.
      "no_check_bucket = true",
      "force_path_style = true",
      // It would be part of the signature, and proxies on the way change it (rclone from 1.63 on; older ones don't know it).
      "use_accept_encoding_gzip = false",
      "",
    ].join("\n"),
  };
}

/** Where a mount's unit and keys stand. */
function mountFiles(name: string, where: string): Pick<HostMount, "unit" | "configFile"> {
  return { unit: `${escapePath(where)}.mount`, configFile: `/etc/keelson/rclone/${name}.conf` };
}

/** `systemd-escape --path` (systemd.unit(5)): slashes become dashes, all else but letters, digits, `:`, `_` and `.` is `\xNN`. */
export function escapePath(path: string): string {
  const plain = path.split("/").filter((part) => part !== "" && part !== ".");
  if (plain.length === 0) return "-";
  return plain
    .map((part) =>
      [...Buffer.from(part)]
        .map((byte, i) => {
          const char = String.fromCharCode(byte);
          return /[A-Za-z0-9:_]/.test(char) || (char === "." && i > 0)
            ? char
            : `\\x${byte.toString(16).padStart(2, "0")}`;
        })
        .join(""),
    )
    .join("-");
}

/** A percent sign is systemd's specifier (systemd.unit(5)). */
function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

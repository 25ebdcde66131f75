/** What of an image's config a container of it needs. */
export interface ImageProgram {
  /** Entrypoint and arguments. */
  readonly args: readonly string[];
  /** `NAME=value`, as the image sets them. */
  readonly env: readonly string[];
  /** Numeric `uid:gid`, or a uid alone, whose group is then 0; empty is root. */
  readonly user: string;
  readonly directory: string;
}

/** What a container on this machine gets beside its image. */
export interface ContainerOptions {
  /** Folder with the image's files. */
  readonly rootfs: string;
  readonly hostname: string;
  /** They win over the image's. */
  readonly env: Readonly<Record<string, string>>;
  /** Folders and files of this machine, by their place in the container. */
  readonly binds: readonly { readonly source: string; readonly target: string; readonly writable: boolean }[];
  /** Control group, below the root of each hierarchy. */
  readonly cgroup: string;
}

/**
 * The config.json of an OCI bundle: a container that has the host's network, as a build step has, so that it reaches
 * what the host reaches, and nothing else of it: file system, processes and IPC of its own, no capability, no way to new ones.
 * @example JSON.stringify(containerSpec(program, { rootfs: "/…/rootfs", hostname: "gateway", env: {}, binds: [], cgroup: "/keelson-1" }))
 * @see https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config.md
 */
export function containerSpec(program: ImageProgram, options: ContainerOptions): Record<string, unknown> {
  const own = Object.keys(options.env);
  const env = program.env.filter((pair) => !own.includes(pair.split("=", 1)[0] ?? ""));
  const none: string[] = [];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: userOf(program.user),
      args: program.args,
      env: [...env, ...Object.entries(options.env).map(([name, value]) => `${name}=${value}`)],
      cwd: program.directory === "" ? "/" : program.directory,
      capabilities: { bounding: none, effective: none, permitted: none, ambient: none, inheritable: none },
      noNewPrivileges: true,
    },
    root: { path: options.rootfs, readonly: false },
    hostname: options.hostname,
    mounts: [...MOUNTS, ...options.binds.map(bind)],
    linux: {
      namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
      cgroupsPath: options.cgroup,
      maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

const QUIET = ["nosuid", "noexec", "nodev"];

/** As Docker has them; /dev/shm in its size. */
const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc", options: QUIET },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...QUIET, "mode=1777", "size=65536k"] },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: QUIET },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: [...QUIET, "ro"] },
];

function bind({ source, target, writable }: ContainerOptions["binds"][number]) {
  const options = ["rbind", "nosuid", "nodev", writable ? "rw" : "ro"];
  return { destination: target, type: "bind", source, options };
}

/** @throws RangeError for a name: only the image knows whose it is. */
function userOf(user: string): { uid: number; gid: number } {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(user === "" ? "0:0" : user) ?? [];
  if (uid === undefined) throw new RangeError(`expected a user as numbers, uid:gid, found ${JSON.stringify(user)}`);
  return { uid: Number(uid), gid: Number(gid ?? 0) };
}

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { unpackPackages } from "./packages.ts";

/** Debian's Docker, of which nothing is installed: unpacked into a folder, with data and sockets of its own. */
export interface TestDocker {
  /** @example "unix:///tmp/keelson-dockerd-x/docker.sock" */
  readonly host: string;
  /** For programs that call docker: where it is, and which daemon it asks. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs docker's own client against it. */
  docker(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

const PACKAGES = ["containerd", "docker.io", "libdevmapper1.02.1", "libseccomp2", "runc", "tini"];
/** Of a multi-arch folder. */
const TRIPLE = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";

/** In the order of their bits: linux/capability.h. */
const CAPABILITIES = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`;

/** runc, for privileged containers too where this machine has not all that root has elsewhere. */
const RUNTIME = `#!/bin/bash
for ((i = 1; i < $#; i++)); do
  next=$((i + 1))
  [ "\${!i}" = --bundle ] && config=\${!next}/config.json
  [ "\${!i}" = --process ] && config=\${!next}
done
bounded=$((16#$(sed -n 's/^CapBnd:\\s*//p' /proc/self/status)))
bit=0
for name in ${CAPABILITIES.replaceAll("\n", " ")}; do
  if [ -n "\${config:-}" ] && ! ((bounded >> bit & 1)); then
    sed -i "s/\\"CAP_$name\\",//g; s/,\\"CAP_$name\\"//g" "$config"
  fi
  bit=$((bit + 1))
done
exec runc "$@"
`;

/** How a daemon differs from the usual one of the tests. */
export interface DockerdOptions {
  /** A network for containers, whose ports the host publishes; it leads nowhere else. Default: they get --network=none or the host's. */
  readonly bridge?: { readonly name: string; readonly address: string };
}

/** Starts a daemon. @example await startDockerd({ bridge: { name: "keelson-e2e", address: "10.233.1.1/24" } }) */
export async function startDockerd({ bridge }: DockerdOptions = {}): Promise<TestDocker> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-dockerd-"));
  const root = join(folder, "root");
  await unpackPackages(PACKAGES, root, folder);
  for (const dir of ["data", "exec"]) await mkdir(join(folder, dir));
  const env = {
    PATH: `${root}/usr/sbin:${root}/usr/bin:${process.env.PATH}`,
    LD_LIBRARY_PATH: ["lib", "usr/lib"].map((lib) => join(root, lib, TRIPLE)).join(":"),
  };
  const socket = join(folder, "docker.sock");
  const host = `unix://${socket}`;
  const runtime = join(folder, "runtime");
  await writeFile(runtime, RUNTIME, { mode: 0o755 });
  const settings = {
    // Docker 20 says that it builds by BuildKit only where it is told to; later ones always do.
    features: { buildkit: true },
    "init-path": join(root, "usr/bin/tini-static"),
    runtimes: { here: { path: runtime } },
    "default-runtime": "here",
  };
  const config = join(folder, "daemon.json");
  await writeFile(config, JSON.stringify(settings));
  if (bridge !== undefined) {
    await execa("ip", ["link", "add", bridge.name, "type", "bridge"]);
    await execa("ip", ["address", "add", bridge.address, "dev", bridge.name]);
    await execa("ip", ["link", "set", bridge.name, "up"]);
  }
  const daemon = execa(
    "dockerd",
    [
      ...["--config-file", config],
      ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", join(folder, "pid")],
      ...[
        "--host",
        host,
        `--bridge=${bridge?.name ?? "none"}`,
        "--iptables=false",
        "--ip-forward=false",
        "--ip-masq=false",
      ],
    ],
    { env, all: true, reject: false },
  );
  const stop = async () => {
    daemon.kill("SIGTERM");
    await daemon;
    const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" ")[4] ?? "");
    for (const mount of mounts.filter((m) => m.startsWith(`${folder}/`)).toReversed())
      await execa("umount", ["--lazy", mount], { reject: false });
    if (bridge !== undefined) await execa("ip", ["link", "delete", bridge.name], { reject: false });
    await rm(folder, { recursive: true, force: true });
  };
  const ended = daemon.then(({ all }) => all ?? "");
  for (let tries = 0; !(await answers(socket)); tries++) {
    const said = await Promise.race([ended, sleep(500)]);
    if (said === undefined && tries < 240) continue;
    await stop();
    throw new Error(`dockerd did not start:\n${await ended}`);
  }
  const clients = { ...env, DOCKER_HOST: host, HOME: folder };
  const docker = async (...args: string[]) => (await execa("docker", args, { env: clients })).stdout;
  return { host, env: clients, docker, stop };
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const query = request({ socketPath, path: "/_ping" }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    query.on("error", () => resolve(false));
    query.end();
  });
}

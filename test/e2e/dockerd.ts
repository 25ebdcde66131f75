import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { Platform } from "../../core/platform.ts";
import { resolvePackages } from "../../toolchain/debian/resolve.ts";
import { home } from "../../toolchain/home.ts";
import { fetchArtifacts, openStore } from "../../toolchain/store.ts";

/** Debian's Docker, of which nothing is installed: unpacked into a folder, with data and sockets of its own. */
export interface TestDocker {
  /** @example "unix:///tmp/keelson-dockerd-x/docker.sock" */
  readonly host: string;
  /** Runs docker's own client against it. */
  docker(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

const PACKAGES = ["containerd", "docker.io", "libdevmapper1.02.1", "libseccomp2", "runc"];
const NATIVE: Platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
/** Of a multi-arch folder. */
const TRIPLE = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";

/** Starts a daemon without networks for containers: they get --network=none or the host's. */
export async function startDockerd(): Promise<TestDocker> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-dockerd-"));
  const root = join(folder, "root");
  const { artifacts, snapshot } = await resolvePackages(
    { platform: NATIVE, suite: "bookworm", select: PACKAGES },
    folder,
  );
  const debs = artifacts.filter(({ name = "" }) => PACKAGES.includes(name));
  for (const deb of await fetchArtifacts(debs, openStore(home().store), { snapshot }))
    await execa("dpkg-deb", ["--extract", deb, root]);
  for (const dir of ["data", "exec"]) await mkdir(join(folder, dir));
  const env = {
    PATH: `${root}/usr/sbin:${root}/usr/bin:${process.env.PATH}`,
    LD_LIBRARY_PATH: ["lib", "usr/lib"].map((lib) => join(root, lib, TRIPLE)).join(":"),
  };
  const socket = join(folder, "docker.sock");
  const host = `unix://${socket}`;
  const daemon = execa(
    "dockerd",
    [
      ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", join(folder, "pid")],
      ...["--host", host, "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"],
    ],
    { env, all: true, reject: false },
  );
  const stop = async () => {
    daemon.kill("SIGTERM");
    await daemon;
    const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" ")[4] ?? "");
    for (const mount of mounts.filter((m) => m.startsWith(`${folder}/`)).toReversed())
      await execa("umount", ["--lazy", mount], { reject: false });
    await rm(folder, { recursive: true, force: true });
  };
  const ended = daemon.then(({ all }) => all ?? "");
  for (let tries = 0; !(await answers(socket)); tries++) {
    const said = await Promise.race([ended, sleep(500)]);
    if (said === undefined && tries < 240) continue;
    await stop();
    throw new Error(`dockerd did not start:\n${await ended}`);
  }
  const docker = async (...args: string[]) =>
    (await execa("docker", args, { env: { ...env, DOCKER_HOST: host, HOME: folder } })).stdout;
  return { host, docker, stop };
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

import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { home, projectRoot } from "../../../toolchain/home.ts";
import { servicesStatus } from "../../../toolchain/services/index.ts";
import { type TemporaryHome, temporaryHome } from "../home.ts";

/** Seconds that the image's slow step sleeps: a number that no other process of the machine sleeps. */
const SLEEP = "1.6180339";
/** Bytes of the image's layer, incompressible: enough for its push to be seen. */
const NOISE = 30_000_000;

const DOCKERFILE = `ARG BASE_IMAGE
FROM \${BASE_IMAGE}
ARG SERIAL
RUN echo "\${SERIAL}" > /serial && sleep ${SLEEP}
RUN head -c ${NOISE} /dev/urandom > /noise
USER 10001:10001
`;

/** What users type. npm and the node that it starts are of one process group. */
export const NPM: readonly [string, ...string[]] = ["npm", "run", "up", "--"];
/** What npm starts. */
export const NODE: readonly [string, ...string[]] = [process.execPath, "toolchain/bootstrap.mjs", "up"];

/** One `npm run up` that is under way. */
export interface Run {
  readonly pid: number;
  /** All that it has printed until now. */
  readonly said: () => string;
  /** Waits for a point of the run. @throws Error where the run ends before. */
  readonly until: (what: string, holds: () => boolean | Promise<boolean>) => Promise<void>;
  readonly end: () => Promise<{ exitCode: number | undefined; all: string }>;
}

/** A home and checkouts of their own, with a catalogue of one small image on the real base. */
export interface Lab {
  readonly temporary: TemporaryHome;
  readonly checkout: (name: string) => Promise<Checkout>;
  readonly remove: () => Promise<void>;
}

export async function makeLab(): Promise<Lab> {
  const users = home().root;
  const temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry");
  const { tools } = home();
  // A folder of links instead of a link: a test may take a tool away.
  await rm(tools);
  await mkdir(tools);
  for (const entry of await readdir(join(users, "tools")))
    await symlink(join(users, "tools", entry), join(tools, entry));
  await temporary.shareArtifacts();
  return {
    temporary,
    checkout: (name) => makeCheckout(join(temporary.folder, name)),
    remove: temporary.remove,
  };
}

/** A checkout, and what can be asked of it. */
export class Checkout {
  readonly root: string;
  private serial = 0;

  constructor(root: string) {
    this.root = root;
  }

  /** Makes the next run build: the image differs from all that were. */
  edit(): void {
    const file = join(this.root, "images/small/image.ts");
    const text = readFileSync(file, "utf8");
    writeFileSync(
      file,
      text.replace(/SERIAL: "[^"]*"/, `SERIAL: "${process.pid}.${++this.serial}.${this.root.length}"`),
    );
  }

  /** Takes over another's image, so that both build the same. */
  copyFrom(other: Checkout): void {
    const file = "images/small/image.ts";
    writeFileSync(join(this.root, file), readFileSync(join(other.root, file)));
  }

  /** Starts `npm run up` as a shell does: a process group of its own. */
  up(args: readonly string[] = [], command: readonly [string, ...string[]] = NPM): Run {
    let text = "";
    let ended = false;
    const [program, ...rest] = command;
    const child = execa(program, [...rest, ...args], {
      cwd: this.root,
      all: true,
      reject: false,
      stdin: "ignore",
      detached: true,
    });
    child.all.on("data", (data) => {
      text += data;
    });
    child.finally(() => {
      ended = true;
    });
    return {
      pid: child.pid ?? 0,
      said: () => text,
      until: async (what, holds) => {
        while (!(await holds())) {
          if (ended) throw new Error(`the run ended before ${what}:\n${text}`);
          await sleep(5);
        }
      },
      end: async () => {
        const { exitCode } = await child;
        return { exitCode, all: text };
      },
    };
  }

  /** Locks of keelson and of Pulumi that are held, or were left. */
  locks(): string[] {
    const folders = [home().locks, join(this.root, ".keelson"), join(this.root, ".keelson/state/.pulumi/locks")];
    return folders
      .filter((folder) => existsSync(folder))
      .flatMap((folder) =>
        readdirSync(folder, { withFileTypes: true, recursive: true })
          .filter((e) => !e.isDirectory() && (folder.endsWith("/locks") || e.name.endsWith(".lock")))
          .map((e) => join(e.parentPath, e.name)),
      );
  }

  /** What runs take on their way and must give back: folders below tmp, the log of events. */
  leftovers(): string[] {
    const events = join(this.root, ".keelson");
    return [
      ...readdirSync(home().tmp),
      ...(existsSync(events) ? readdirSync(events).filter((name) => name.startsWith("events-")) : []),
    ];
  }

  /** Command lines of processes that work for this checkout; the services, which all share, don't count. */
  async processes(): Promise<string[]> {
    const services = new Set((await servicesStatus()).map(({ pid }) => pid));
    const found: string[] = [];
    for (const entry of readdirSync("/proc")) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || pid === process.pid || services.has(pid)) continue;
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        const works = readlinkSync(`/proc/${pid}/cwd`).startsWith(this.root) || command.includes(this.root);
        if (works || command === `sleep ${SLEEP} `) found.push(`${pid} ${command}`);
      } catch {
        // gone again
      }
    }
    return found;
  }

  /** Whether the image's slow step runs. */
  async isBuilding(): Promise<boolean> {
    return (await this.processes()).some((line) => line.endsWith(`sleep ${SLEEP} `));
  }

  /** Bytes of a repository that the registry has taken in of uploads that are not done. */
  uploading(repository: string): number {
    const uploads = join(home().services, "registry/data/docker/registry/v2/repositories", repository, "_uploads");
    if (!existsSync(uploads)) return 0;
    return readdirSync(uploads, { withFileTypes: true, recursive: true })
      .filter((e) => e.name === "data")
      .map((e) => statSync(join(e.parentPath, e.name), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, size) => sum + size, 0);
  }
}

async function makeCheckout(root: string): Promise<Checkout> {
  await execa("git", ["clone", "--quiet", projectRoot(), root]);
  await symlink(await realpath(join(projectRoot(), "node_modules")), join(root, "node_modules"));
  for (const entry of await readdir(join(root, "images"), { withFileTypes: true }))
    if (entry.isDirectory()) rmSync(join(root, "images", entry.name), { recursive: true });
  await mkdir(join(root, "images/small"));
  await writeFile(join(root, "images/small/Dockerfile"), DOCKERFILE);
  await writeFile(
    join(root, "images/small/image.ts"),
    `import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "small",
  family: "test",
  description: "One slow step and one large layer",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  args: { SERIAL: "0" },
  budget: {},
  health: { command: ["true"], within: "5 s" },
  user: "10001:10001",
});
`,
  );
  const platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
  const dev = readFileSync(join(root, "Pulumi.dev.yaml"), "utf8").replace(/config:[\s\S]*/, "");
  await writeFile(
    join(root, "Pulumi.dev.yaml"),
    `${dev}config:
  keelson:registry: embedded
  keelson:builder: embedded
  keelson:bases: bootstrapped
  keelson:images: [small]
  keelson:platforms: [${platform}]
  keelson:gates:
    severity: { labels: "off", init: "off", efficiency: "off", leftovers: "off" }
`,
  );
  return new Checkout(root);
}

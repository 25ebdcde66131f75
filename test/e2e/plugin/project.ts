import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as automation from "@pulumi/pulumi/automation/index.js";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import { ImageResource, type ImageResourceArgs } from "../../../components/image/keelson.ts";
import { contextHash, imageContentHash } from "../../../core/hash.ts";
import { debianArch, PLATFORMS } from "../../../core/platform.ts";
import { ensureBusybox } from "../../../toolchain/busybox.ts";
import { readContext } from "../../../toolchain/context.ts";
import { home, projectRoot } from "../../../toolchain/home.ts";
import { pulumiEnvironment } from "../../../toolchain/pulumi-environment.ts";
import { ensureTool } from "../../../toolchain/tools.ts";

// Pulumi's SDK never closes an inline program's connections to the engine, and gRPC shares those of one address within a process: an engine
// that gets the port of an earlier one, which has ended, then can't be reached. Each client has its own here.
const { grpcClientOptions } = settings as unknown as { grpcClientOptions: Record<string, unknown> };
grpcClientOptions["grpc.use_local_subchannel_pool"] = 1;

const BASE_HASH = "5c".repeat(32);

/** What a test says of an image; the rest is filled in. */
export interface TestImage {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly more?: Partial<ImageResourceArgs>;
}

/** What a run of the engine came to. */
export interface Run {
  readonly ok: boolean;
  /** All that the engine printed. */
  readonly text: string;
  /** Resources by what was done to them. */
  readonly changes: Readonly<Record<string, number>>;
}

/** A Pulumi project in a folder of its own, with an inline program, on the real engine. */
export interface TestProject {
  readonly root: string;
  readonly stack: automation.Stack;
  /** The images that the next run has. */
  images: readonly TestImage[];
  /** Declares an image's resources; by default keelson's own one. */
  make: (name: string, args: ImageResourceArgs) => ImageResource;
  /** Further resources of the next run. */
  extra: (images: ReadonlyMap<string, ImageResource>) => void;
  preview(): Promise<Run>;
  /** `onText` is called with everything printed so far, whenever something is. */
  up(onText?: (text: string) => void): Promise<Run>;
  refresh(): Promise<Run>;
  /** The state as it lies on disk. */
  state(): Promise<string>;
  remove(): Promise<void>;
}

const builds: ImageResourceArgs["builds"] = [
  { platform: "linux/amd64", node: "local", mode: "native" },
  { platform: "linux/arm64", node: "local", mode: "qemu" },
];

/** Makes the project; the plugin is the checkout's, found by its path as in the project's own Pulumi.yaml. */
export async function makeProject(): Promise<TestProject> {
  const root = mkdtempSync(join(tmpdir(), "keelson plugin "));
  mkdirSync(join(root, "state"));
  const providers = ["keelson", "docker-build", "cloudflare", "kubernetes"].map(
    (name) => `    - name: ${name}\n      path: ${JSON.stringify(join(projectRoot(), "plugins", name))}\n`,
  );
  writeFileSync(
    join(root, "Pulumi.yaml"),
    `name: plugin-test\nruntime: nodejs\nplugins:\n  providers:\n${providers.join("")}`,
  );
  const project: Pick<TestProject, "images" | "make" | "extra"> = {
    images: [],
    make: (name, args) => new ImageResource(name, args),
    extra: () => {},
  };
  let ended = false;
  const workspace = await automation.LocalWorkspace.create({
    workDir: root,
    envVars: await prepareEnvironment(root),
    program: async () => {
      const made = new Map<string, ImageResource>();
      for (const image of project.images) made.set(image.name, await declare(root, image, made, project.make));
      project.extra(made);
      ended = true;
      return Object.fromEntries([...made].map(([name, r]) => [name, r.digest]));
    },
  });
  const stack = await automation.Stack.createOrSelect("test", workspace);
  /** The SDK takes a program that does not reach the engine for one without resources, and the engine then deletes them all. */
  const whole = async (...[work, onText]: Parameters<typeof run>): Promise<Run> => {
    ended = false;
    const done = await run(work, onText);
    if (done.ok && !ended) throw new Error(`the program never came to its end:\n${done.text}`);
    return done;
  };
  return Object.assign(project, {
    root,
    stack,
    preview: () =>
      whole(async (onOutput) => {
        const { changeSummary } = await stack.preview({ onOutput, color: "never", diff: true });
        return changeSummary;
      }),
    up: (onText?: (text: string) => void) =>
      whole(async (onOutput) => {
        const { summary } = await stack.up({ onOutput, color: "never" });
        return summary.resourceChanges ?? {};
      }, onText),
    refresh: () =>
      run(async (onOutput) => {
        const { summary } = await stack.refresh({ onOutput, color: "never" });
        return summary.resourceChanges ?? {};
      }),
    async state() {
      return JSON.stringify(await stack.exportStack());
    },
    async remove() {
      rmSync(root, { recursive: true, force: true });
    },
  });
}

async function run(
  work: (onOutput: (text: string) => void) => Promise<Readonly<Record<string, number | undefined>>>,
  onText: (text: string) => void = () => {},
): Promise<Run> {
  let text = "";
  const onOutput = (piece: string) => {
    text += piece;
    onText(text);
  };
  try {
    const changes = Object.entries(await work(onOutput)).filter((entry): entry is [string, number] =>
      Boolean(entry[1]),
    );
    return { ok: true, text, changes: Object.fromEntries(changes) };
  } catch (error) {
    if (!(error instanceof automation.CommandError)) throw error;
    return { ok: false, text: text + error.message, changes: {} };
  }
}

async function prepareEnvironment(root: string): Promise<Record<string, string>> {
  await ensureTool("pulumi");
  const environment: Record<string, string> = {
    ...pulumiEnvironment(projectRoot()),
    PULUMI_BACKEND_URL: `file://${encodeURI(join(root, "state"))}`,
    PULUMI_CONFIG_PASSPHRASE: "test",
    KEELSON_PROGRESS: "live",
    KEELSON_HOME: home().root,
  };
  if (environment.PATH !== undefined) process.env.PATH = environment.PATH;
  return environment;
}

/** Writes an image's folder and declares its resource, with the content hash that a plan would give it. */
async function declare(
  root: string,
  image: TestImage,
  made: ReadonlyMap<string, ImageResource>,
  make: TestProject["make"],
): Promise<ImageResource> {
  const folder = `images/${image.name}`;
  for (const [path, text] of Object.entries(image.files)) {
    mkdirSync(dirname(join(root, folder, path)), { recursive: true });
    writeFileSync(join(root, folder, path), text);
    if (path.endsWith(".sh")) chmodSync(join(root, folder, path), 0o755);
  }
  const { base, contexts: programs } = await parts(root, made);
  const contexts = { ...programs, ...image.more?.contexts };
  const dockerfile = readFileSync(join(root, folder, "Dockerfile"), "utf8");
  const contentHash = imageContentHash({
    dockerfile,
    args: image.more?.args ?? {},
    context: await readContext(join(root, folder), join(root, folder, "Dockerfile")),
    contexts: Object.fromEntries(Object.entries(contexts).map(([name, c]) => [name, c.hash])),
    base: base.hash,
  });
  hashes.set(image.name, contentHash);
  return make(image.name, {
    imageName: image.name,
    repository: `plugin-test/${image.name}`,
    registry: { host: "embedded" },
    contentHash,
    folder,
    args: {},
    base,
    builds,
    builder: "embedded",
    cache: "none",
    tags: [],
    annotations: {},
    provenance: {},
    budget: {},
    user: "0:0",
    gates: { severity: { labels: "off", user: "off", init: "off", health: "off" } },
    ...image.more,
    contexts,
  });
}

const hashes = new Map<string, string>();

/** `busybox` is made from nothing and the static programs; every other image from `busybox`. */
async function parts(
  root: string,
  made: ReadonlyMap<string, ImageResource>,
): Promise<Pick<ImageResourceArgs, "base" | "contexts">> {
  const parent = made.get("busybox");
  if (parent !== undefined)
    return { base: { kind: "image", hash: hashes.get("busybox") ?? "", ref: parent.ref }, contexts: {} };
  const programs = join(root, "programs");
  await unpackBusybox(programs);
  return {
    base: { kind: "image", hash: BASE_HASH, ref: "scratch" },
    contexts: { programs: { kind: "path", path: "programs", hash: contextHash(await readContext(programs)) } },
  };
}

/** The image that the others are made from. */
export const busybox: TestImage = {
  name: "busybox",
  files: {
    Dockerfile: [
      "ARG BASE_IMAGE",
      "FROM ${BASE_IMAGE}",
      "ARG TARGETARCH",
      "COPY --from=programs busybox-$TARGETARCH /bin/busybox",
      'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
      "RUN echo 'root:x:0:0:root:/:/bin/sh' > /etc/passwd",
      "",
    ].join("\n"),
  },
};

/** Puts `busybox-amd64` and `busybox-arm64` into a folder. */
export async function unpackBusybox(target: string): Promise<void> {
  mkdirSync(target, { recursive: true });
  for (const platform of PLATFORMS) {
    const file = join(target, `busybox-${debianArch(platform)}`);
    cpSync(await ensureBusybox(platform), file);
    chmodSync(file, 0o755);
  }
}

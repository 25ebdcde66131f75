import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { hashTag } from "../core/tags.ts";
import { RegistryClient } from "../oci/client.ts";
import { MEDIA } from "../oci/schemas.ts";
import { putVerdict } from "../oci/verdict.ts";
import { assembleIndex, type PlatformManifest } from "../plugins/keelson/image/document.ts";
import type { ImageInputs } from "../plugins/keelson/image/inputs.ts";
import { termsOf } from "../plugins/keelson/image/judge.ts";
import { projectRoot } from "../toolchain/home.ts";
import { silent } from "../toolchain/progress.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureRegistry } from "../toolchain/services/index.ts";
import { ensureTool, linkReadyTools } from "../toolchain/tools.ts";
import { copyCheckout } from "./checkout.ts";
import { benchMachine } from "./machine.ts";
import { type Bench, type Figure, ratio, sideBySide } from "./measure.ts";

/** The machines of the fleet: 45 and 23 services, 68 in all. */
const STACKS = ["mainpc", "pc2"] as const;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);

/**
 * Previews of the whole fleet with nothing to do, GPU images included, against those of a program that holds nothing. What the
 * images hold is no matter of a preview: the registry has placeholders under their hashes, with verdicts, which one `up` takes.
 */
export const fleetPreviewBench: Bench = {
  name: "fleet-preview",
  title: "previews of the full fleet, 68 placements, with nothing to do, against an empty program's",
  async run(say) {
    await ensureTool("pulumi");
    await linkReadyTools();
    const path = String(pulumiEnvironment(projectRoot()).PATH);
    const machine = await benchMachine();
    const empty = mkdtempSync(join(tmpdir(), "keelson-bench-empty-"));
    try {
      const root = join(machine.folder, "keelson");
      copyCheckout(root);
      const env = { ...pulumiEnvironment(root), PATH: path, PULUMI_CONFIG_PASSPHRASE: "of this bench" };
      const emptyEnv = { ...env, PULUMI_BACKEND_URL: `file://${empty}/state` };
      makeEmpty(empty);
      await execa("pulumi", ["stack", "init", "dev", "--non-interactive"], { cwd: empty, env: emptyEnv });
      const nothing = () =>
        execa("pulumi", ["preview", "--stack", "dev", "--non-interactive"], { cwd: empty, env: emptyEnv });
      await execa("pulumi", ["up", "--yes", "--skip-preview", "--stack", "dev"], { cwd: empty, env: emptyEnv });
      await nothing();
      const figures: Figure[] = [];
      for (const stack of STACKS) {
        const pulumi = (...args: string[]) =>
          execa("pulumi", [...args, "--stack", stack, "--non-interactive"], { cwd: root, env });
        await pulumi("stack", "init");
        const { stdout } = await pulumi("preview", "--json");
        const images = imagesOf(stdout);
        say(`${stack}: ${images.length} images`);
        await placeholders(images);
        await pulumi("up", "--yes", "--skip-preview");
        const preview = () => pulumi("preview", "--expect-no-changes");
        await preview();
        const times = await sideBySide(ROUNDS, preview, nothing);
        figures.push(...ratio(`preview of ${stack}`, times, 1.5));
        const largest = await largestProcess(preview());
        figures.push({ name: `preview of ${stack}: its program`, value: largest / 1e6, unit: "MB", atMost: 250 });
      }
      return figures;
    } finally {
      rmSync(empty, { recursive: true });
      await machine.remove();
    }
  },
};

function makeEmpty(folder: string): void {
  mkdirSync(join(folder, "state"));
  const runtime = "runtime:\n  name: nodejs\n  options:\n    typescript: false\n";
  writeFileSync(join(folder, "Pulumi.yaml"), `name: empty\nmain: index.ts\n${runtime}`);
  writeFileSync(join(folder, "package.json"), '{ "name": "empty", "type": "module", "main": "index.ts" }\n');
  writeFileSync(
    join(folder, "index.ts"),
    'import * as pulumi from "@pulumi/pulumi";\nexport const stack = pulumi.getStack();\n',
  );
  symlinkSync(join(projectRoot(), "node_modules"), join(folder, "node_modules"));
}

/** The inputs of a preview's images, as the plugin sees them. */
function imagesOf(preview: string): ImageInputs[] {
  const { steps } = JSON.parse(preview) as {
    steps: { urn: string; newState?: { type: string; inputs: ImageInputs } }[];
  };
  return steps.flatMap(({ newState }) => (newState?.type === "keelson:index:Image" ? [newState.inputs] : []));
}

/** An index and a manifest a platform, of nothing, under each image's hash, and the verdict that they passed. */
async function placeholders(images: readonly ImageInputs[]): Promise<void> {
  const registry = await ensureRegistry(silent);
  const client = new RegistryClient({ host: registry.host, ca: readFileSync(registry.ca, "utf8") });
  for (const inputs of images) {
    const { repository, contentHash, builds, annotations } = inputs;
    const platforms: PlatformManifest[] = [];
    for (const { platform } of builds) {
      const [os, architecture] = platform.split("/");
      const text = JSON.stringify({ os, architecture, config: {}, rootfs: { type: "layers", diff_ids: [] } });
      const config = await client.pushBytes(repository, Buffer.from(text), MEDIA.config);
      const manifest = { schemaVersion: 2 as const, mediaType: MEDIA.manifest, config, layers: [] };
      const { digest, size } = await client.putManifest(repository, undefined, manifest);
      platforms.push({ platform, digest, size, compressed: 0, unpacked: 0 });
    }
    const { bytes } = assembleIndex(platforms, annotations);
    const index = await client.putManifest(repository, hashTag(contentHash), bytes, MEDIA.index);
    const passed = platforms.map(({ platform, digest }) => [platform, { digest, findings: 0 }]);
    await putVerdict(client, repository, index, { terms: termsOf(inputs), platforms: Object.fromEntries(passed) });
  }
  client.close();
}

/** Most bytes of main memory that the program which a running command has started ever had. */
async function largestProcess(running: Promise<unknown> & { readonly pid?: number | undefined }): Promise<number> {
  let largest = 0;
  const timer = setInterval(() => {
    for (const pid of below(running.pid ?? 0)) largest = Math.max(largest, peak(pid));
  }, 20);
  try {
    await running;
  } finally {
    clearInterval(timer);
  }
  return largest;
}

function below(pid: number): number[] {
  // A child stands with the thread that started it.
  const threads = list(`/proc/${pid}/task`).map((thread) => read(`/proc/${pid}/task/${thread}/children`));
  const children = threads.join(" ").split(" ").filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...below(child)]);
}

function peak(pid: number): number {
  if (!read(`/proc/${pid}/cmdline`).includes("@pulumi/pulumi/cmd/run")) return 0;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Processes come and go. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

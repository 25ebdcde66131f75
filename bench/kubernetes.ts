import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parseDocument, stringify } from "yaml";
import { median } from "../core/median.ts";
import { home, projectRoot } from "../toolchain/home.ts";
import { playNodes } from "../toolchain/lab/kubernetes/kwok.ts";
import { ensureCluster, type LabCluster, stopCluster } from "../toolchain/lab/kubernetes.ts";
import { backendUrl, pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureTool, linkReadyTools } from "../toolchain/tools.ts";
import { copyCheckout } from "./checkout.ts";
import type { Bench, Figure } from "./measure.ts";
import { type Usage, usage } from "./usage.ts";

/** Fewer where a machine has no time: `BENCH_RESOURCES=100,1000 BENCH_ROUNDS=1 npm run bench -- kubernetes`. */
const COUNTS = (process.env.BENCH_RESOURCES ?? "500,5000").split(",").map(Number);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
/** Objects above which what a program does to start is nothing beside the rest. */
const WARM = 1000;
/** Objects of an application: account, settings, Deployment, Service, network policy, disruption budget. */
const PER_APP = 6;
/** Each pod's; nodes are played by kwok. */
const IMAGE = `registry.example/web@sha256:${"5c".repeat(32)}`;
const CHANGED = `registry.example/web@sha256:${"c5".repeat(32)}`;

/**
 * Previews of stacks with 500 and 5,000 Kubernetes objects on a real API server: with nothing to do, and with one change. Beside
 * it the same objects as a program that names them one after the other: same engine, same plugin, same cluster.
 */
export const kubernetesBench: Bench = {
  name: "kubernetes",
  title: `previews of ${COUNTS.map((count) => count.toLocaleString("en")).join(" and ")} Kubernetes objects, against a plain Pulumi program`,
  async run(say) {
    for (const tool of ["pulumi", "kwok"] as const) await ensureTool(tool);
    await linkReadyTools();
    const folder = mkdtempSync(join(tmpdir(), "keelson-bench-kubernetes-"));
    // A cluster of the bench's own: what it puts there stands in nobody's way.
    const own = home({ ...process.env, KEELSON_HOME: join(folder, "home") });
    try {
      const cluster = await ensureCluster({ home: own, nodes: false });
      const nodes = await playNodes(cluster, join(folder, "kwok"), { count: 2, pods: Math.max(...COUNTS) });
      try {
        const all: Measured[] = [];
        for (const count of COUNTS) all.push(await measure(count, cluster, folder, say));
        return [...all.flatMap(figures), ...growth(all)];
      } finally {
        await nodes.stop();
      }
    } finally {
      await stopCluster(own);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Both sides, by what is previewed. */
type Side = Readonly<Record<"nothing" | "change", Size>>;
type Size = Omit<Usage, "text">;
interface Measured {
  readonly count: number;
  readonly keelson: Side;
  readonly plain: Side;
}

async function measure(
  count: number,
  cluster: LabCluster,
  folder: string,
  say: (line: string) => void,
): Promise<Measured> {
  const keelson = await keelsonStack(join(folder, `keelson-${count}`), count, cluster);
  say(`${count} objects: bringing them up with keelson`);
  await keelson.up();
  const state = await keelson.state();
  const made = state.deployment.resources.filter(({ type }) => type.startsWith("kubernetes:")).length;
  if (Math.abs(made - count) > PER_APP) throw new Error(`expected ${count} objects, found ${made}`);
  const plain = await plainStack(join(folder, `plain-${count}`), state, cluster);
  const sides = [keelson, plain];
  const seen = sides.map(() => ({ nothing: [] as Usage[], change: [] as Usage[] }));
  for (const what of ["nothing", "change"] as const) {
    if (what === "change") for (const side of sides) side.change();
    say(`${count} objects: previews with ${what === "nothing" ? "nothing to do" : "one change"}`);
    // The first warms up; of many objects one round says enough. In turns, so that what happens on the machine meanwhile
    // meets both alike.
    const rounds = count > WARM ? [1] : Array.from({ length: ROUNDS + 1 }, (_, i) => i);
    for (const round of rounds)
      for (const [i, side] of sides.entries()) {
        const taken = await side.preview(what === "change" ? 1 : 0);
        if (round > 0) seen[i]?.[what].push(taken);
      }
  }
  const [a, b] = seen.map(({ nothing, change }) => ({ nothing: middle(nothing), change: middle(change) }));
  if (a === undefined || b === undefined) throw new Error("nothing was measured");
  return { count, keelson: a, plain: b };
}

function middle(taken: readonly Usage[]): Size {
  const of = (key: keyof Size) => median(taken.map((one) => one[key]));
  return { seconds: of("seconds"), processor: of("processor"), bytes: of("bytes") };
}

const WHAT = { nothing: "nothing to do", change: "one change" } as const;

function figures({ count, keelson, plain }: Measured): Figure[] {
  return (["nothing", "change"] as const).flatMap((what): Figure[] => {
    const name = `${count} objects, ${WHAT[what]}`;
    return [
      { name: `${name}: keelson`, value: keelson[what].seconds, unit: "s" },
      { name: `${name}: plain`, value: plain[what].seconds, unit: "s" },
      { name: `${name}: ratio`, value: keelson[what].seconds / plain[what].seconds, unit: "x", atMost: 1.2 },
      { name: `${name}, processor time: keelson`, value: keelson[what].processor, unit: "s" },
      { name: `${name}, processor time: plain`, value: plain[what].processor, unit: "s" },
      { name: `${name}: keelson`, value: keelson[what].bytes / 1e6, unit: "MB" },
      { name: `${name}: plain`, value: plain[what].bytes / 1e6, unit: "MB" },
    ];
  });
}

/** For each object, the most against the fewest; what every preview takes to start makes it less than 1. */
function growth(all: readonly Measured[]): Figure[] {
  const [few, most] = [all[0], all.at(-1)];
  if (few === undefined || most === undefined || few === most) return [];
  const name = `for each object, ${most.count} against ${few.count}`;
  const each = (of: (side: Side) => number) => of(most.keelson) / most.count / (of(few.keelson) / few.count);
  return [
    { name: `time ${name}, nothing to do`, value: each(({ nothing }) => nothing.seconds), unit: "x", atMost: 1 },
    { name: `time ${name}, one change`, value: each(({ change }) => change.seconds), unit: "x", atMost: 1 },
    { name: `memory ${name}`, value: each(({ nothing }) => nothing.bytes), unit: "x", atMost: 1 },
  ];
}

interface Stack {
  readonly up: () => Promise<unknown>;
  /** @param changes how many objects it has to find changed */
  readonly preview: (changes: number) => Promise<Usage>;
  /** Gives one application another image. */
  readonly change: () => void;
}

/** What of a stack's state is read here. */
interface State {
  readonly deployment: { readonly secrets_providers?: unknown; readonly resources: readonly StateResource[] };
}
interface StateResource {
  readonly type: string;
  readonly urn: string;
  readonly parent?: string;
  readonly dependencies?: readonly string[];
  readonly propertyDependencies?: Readonly<Record<string, readonly string[]>>;
  readonly inputs?: Readonly<Record<string, unknown>>;
}

/** A checkout whose stack runs so many objects, by its config alone. */
async function keelsonStack(
  root: string,
  count: number,
  { kubeconfig, context }: LabCluster,
): Promise<Stack & { readonly state: () => Promise<State> }> {
  copyCheckout(root);
  const file = join(root, "Pulumi.bench.yaml");
  const apps = Array.from({ length: Math.round(count / PER_APP) }, (_, i) => `app-${i}`);
  const app = {
    image: IMAGE,
    kubernetes: "lab",
    user: "10001:10001",
    port: 8000,
    health: { port: 8000, path: "/health" },
    environment: { LOG_LEVEL: "info", GREETING: "hello" },
  };
  const config = {
    "keelson:kubernetes": { lab: { kubeconfig, context, namespace: `bench-${count}` } },
    "keelson:workloads": Object.fromEntries(apps.map((name) => [name, app])),
  };
  writeFileSync(file, stringify({ config }));
  const env = { ...pulumiEnvironment(root), PATH: String(pulumiEnvironment(projectRoot()).PATH) };
  const { stack, run } = await pulumiStack(root, env);
  return {
    ...stack,
    change() {
      const yaml = parseDocument(readFileSync(file, "utf8"));
      yaml.setIn(["config", "keelson:workloads", "app-0", "image"], CHANGED);
      writeFileSync(file, yaml.toString());
    },
    state: async () => JSON.parse((await run("stack", "export")).stdout),
  };
}

/** The same objects by a program of a few lines, which takes them over: its state is keelson's without components. */
async function plainStack(root: string, state: State, { kubeconfig, context }: LabCluster): Promise<Stack> {
  mkdirSync(join(root, "state"), { recursive: true });
  const project = {
    name: "plain",
    main: "index.ts",
    runtime: { name: "nodejs", options: { typescript: false } },
    plugins: { providers: [{ name: "kubernetes", path: join(projectRoot(), "plugins/kubernetes") }] },
  };
  writeFileSync(join(root, "Pulumi.yaml"), stringify(project));
  writeFileSync(join(root, "package.json"), '{ "name": "plain", "type": "module", "main": "index.ts" }\n');
  writeFileSync(join(root, "index.ts"), PLAIN);
  symlinkSync(join(projectRoot(), "node_modules"), join(root, "node_modules"));
  writeFileSync(join(root, "settings.json"), JSON.stringify({ kubeconfig, context }));
  const resources = withoutComponents(state.deployment.resources);
  const objects = resources
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ type, urn, inputs }) => ({ type, name: urn.slice(urn.lastIndexOf("::") + 2), inputs }));
  const write = (text: string) => writeFileSync(join(root, "objects.json"), text);
  const text = JSON.stringify(objects);
  write(text);
  const env = { ...pulumiEnvironment(projectRoot()), PULUMI_BACKEND_URL: backendUrl(join(root, "state")) };
  const { stack, run } = await pulumiStack(root, env);
  const { stdout } = await run("stack", "export");
  const empty: State = JSON.parse(stdout);
  const { secrets_providers } = empty.deployment;
  const file = join(root, "state.json");
  writeFileSync(file, JSON.stringify({ ...empty, deployment: { ...state.deployment, secrets_providers, resources } }));
  await run("stack", "import", "--file", file);
  return { ...stack, change: () => write(text.replace(IMAGE, CHANGED)) };
}

/** A state's resources as those of a program that names them by themselves: of project `plain`, all below its stack. */
function withoutComponents(resources: readonly StateResource[]): StateResource[] {
  const text = JSON.stringify(resources.filter(({ type }) => !type.startsWith("keelson:")));
  const [prefix, stack] = ["urn:pulumi:bench::plain::", "urn:pulumi:bench::plain::pulumi:pulumi:Stack::plain-bench"];
  const renamed: StateResource[] = JSON.parse(
    text
      .replaceAll(/urn:pulumi:bench::keelson::(?:[^":$]+(?::[^":$]+)*\$)*/g, prefix)
      .replaceAll("pulumi:pulumi:Stack::keelson-bench", "pulumi:pulumi:Stack::plain-bench"),
  );
  const there = new Set(renamed.map(({ urn }) => urn));
  const known = (urns: readonly string[]) => urns.filter((urn) => there.has(urn));
  return renamed.map((resource) => ({
    ...resource,
    ...(resource.parent === undefined ? {} : { parent: stack }),
    dependencies: known(resource.dependencies ?? []),
    propertyDependencies: Object.fromEntries(
      Object.entries(resource.propertyDependencies ?? {}).map(([key, urns]) => [key, known(urns)]),
    ),
  }));
}

const PLAIN = `import { readFileSync } from "node:fs";
import { Deployment } from "@pulumi/kubernetes/apps/v1/deployment.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { Service } from "@pulumi/kubernetes/core/v1/service.js";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1/serviceAccount.js";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1/networkPolicy.js";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1/podDisruptionBudget.js";
import { Provider } from "@pulumi/kubernetes/provider.js";

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const KINDS = { ConfigMap, Deployment, Namespace, NetworkPolicy, PodDisruptionBudget, Service, ServiceAccount };
const provider = new Provider("lab", { ...read("settings.json"), clusterIdentifier: "lab" });
for (const { type, name, inputs } of read("objects.json")) new KINDS[type.split(":")[2]](name, inputs, { provider });
`;

async function pulumiStack(root: string, env: Record<string, string>) {
  const options = { cwd: root, env: { ...env, PULUMI_CONFIG_PASSPHRASE: "bench" }, all: true } as const;
  const run = (...args: string[]) => execa("pulumi", [...args, "--stack", "bench", "--non-interactive"], options);
  await execa("pulumi", ["stack", "init", "bench", "--non-interactive"], options);
  const stack: Omit<Stack, "change"> = {
    // The whole state is written after each object otherwise, which is most of the time for thousands.
    up: () =>
      execa("pulumi", ["up", "--yes", "--skip-preview", "--parallel", "32", "--stack", "bench", "--non-interactive"], {
        ...options,
        env: { ...options.env, PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" },
      }),
    async preview(changes) {
      const expected = changes === 0 ? ["--expect-no-changes"] : [];
      const args = ["preview", "--stack", "bench", "--non-interactive", ...expected];
      const taken = await usage("pulumi", args, options);
      if (changes > 0 && !new RegExp(`~ ${changes} to update`).test(taken.text))
        throw new Error(`expected ${changes} updates: ${taken.text}`);
      return taken;
    },
  };
  return { stack, run };
}

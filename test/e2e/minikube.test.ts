import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppsV1Api, KubeConfig } from "@kubernetes/client-node";
import { execa } from "execa";
import { type LabHost, runningHost } from "../../toolchain/lab/host.ts";
import { nodeFolder } from "../../toolchain/lab/kubernetes/node.ts";
import { ensureLabRoot } from "../../toolchain/lab/root.ts";
import { labSsh } from "../../toolchain/lab/ssh.ts";
import { homeWithOwnLab } from "./home.ts";
import { giveNode, installMinikube, type Minikube } from "./minikube/double.ts";
import { cloneCheckout } from "./registry.ts";

/**
 * Stack cluster on a Minikube: a double of the program before the lab's real node, whose pods run what was loaded and nothing else.
 * Needs root, the toolchain, and the todo images built or a way to.
 */
describe("a stack on Minikube", () => {
  let folder: string;
  let clone: string;
  let minikube: Minikube;
  let environment: Record<string, string>;
  let node: LabHost;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson-minikube-"));
    await ensureLabRoot();
    minikube = installMinikube(folder);
    const KEELSON_HOME = await homeWithOwnLab(folder);
    environment = { ...minikube.environment, KEELSON_HOME, PULUMI_CONFIG_PASSPHRASE: "of the Minikube" };
    clone = await cloneCheckout(join(folder, "keelson"));
    const stack = readFileSync(join(clone, "Pulumi.cluster.yaml"), "utf8");
    writeFileSync(join(clone, "Pulumi.mini.yaml"), stack.replace("lab: true", "minikube: {}"));
    const { exitCode, all } = await run("npm run lab -- --kubernetes");
    assert.equal(exitCode, 0, all);
    const cluster = join(KEELSON_HOME, "lab/kubernetes");
    node = (await runningHost(nodeFolder(cluster))) ?? assert.fail("the lab has no node");
    giveNode(folder, join(cluster, "kubeconfig"), node);
  });
  after(async () => {
    await run("npm run lab -- down");
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (command: string) =>
    execa("bash", ["-c", command], { cwd: clone, env: environment, input: "", all: true, reject: false });
  const up = () => run("npm run --silent up -- -s mini");
  const image = async (name: string) => {
    const config = new KubeConfig();
    config.loadFromFile(environment.KUBECONFIG ?? "");
    const { spec, status } = await config
      .makeApiClient(AppsV1Api)
      .readNamespacedDeployment({ name, namespace: "todo" });
    assert.equal(status?.readyReplicas, spec?.replicas, `${name} serves`);
    return spec?.template.spec?.containers[0]?.image ?? "";
  };
  /** Names that the node's own containerd has. */
  const onNode = async () => {
    const { stdout } = await labSsh(node, "ctr --namespace=k8s.io images ls -q");
    return stdout.split("\n").filter((name) => name.startsWith("docker.io/library/"));
  };
  const NAMES = ["postgres", "todo-backend", "todo-frontend"];
  const plain = (names: readonly string[]) => names.map((name) => name.replace(/^docker\.io\/library\/|:.*$/g, ""));
  /** What the backend ran first, and then. */
  const versions: string[] = [];

  it("starts it, loads each image as what it is, though they come at once, and runs them", async () => {
    const { all, exitCode } = await up();
    assert.equal(exitCode, 0, all);
    assert.equal(minikube.asked("start").length, 1);
    const files = minikube.asked("image load").map((line) => line.replace(/^.*\//, ""));
    assert.equal(new Set(files).size, 3, files.join(", "));
    assert.deepEqual(plain(minikube.images()), NAMES);
    assert.deepEqual(plain((await onNode()).toSorted()), NAMES);
    for (const name of NAMES.slice(1)) assert.match(await image(name), new RegExp(`^${name}:sha256-[0-9a-f]{16}$`));
    versions.push(await image("todo-backend"));
  });

  it("loads a changed image, and removes the one before when its successor serves", async () => {
    appendFileSync(join(clone, "images/todo-backend/app/todo/__init__.py"), "# changed\n");
    const { all, exitCode } = await up();
    assert.equal(exitCode, 0, all);
    versions.push(await image("todo-backend"));
    assert.notEqual(versions[1], versions[0]);
    assert.deepEqual(minikube.asked("image rm"), [`image rm -p minikube docker.io/library/${versions[0]}`]);
    assert.equal(minikube.asked("image load").length, 4);
    assert.deepEqual(plain(minikube.images()), NAMES);
    assert.ok(!(await onNode()).includes(`docker.io/library/${versions[0]}`));
  });

  it("has nothing to do then", async () => {
    const { all, exitCode } = await up();
    assert.equal(exitCode, 0, all);
    assert.equal(minikube.asked("image load").length, 4);
  });

  it("goes back to the version before, which is loaded again", async () => {
    const { all, exitCode } = await run("npm run --silent keelson -- rollback -s mini lab todo-backend");
    assert.equal(exitCode, 0, all);
    assert.match(all, new RegExp(`^${versions[0]} loaded into minikube `, "m"));
    assert.match(all, new RegExp(`^todo-backend: ${versions[1]} -> ${versions[0]}$`, "m"));
    assert.equal(await image("todo-backend"), versions[0]);
    assert.equal(minikube.asked("image load").length, 5);
  });

  it("moves no database to another namespace, where it would be empty, and begins nothing", async () => {
    const file = join(clone, "Pulumi.mini.yaml");
    const stack = readFileSync(file, "utf8");
    writeFileSync(file, stack.replace("namespace: todo", "namespace: other"));
    const { all, exitCode } = await up();
    writeFileSync(file, stack);
    assert.notEqual(exitCode, 0, all);
    assert.match(
      all,
      /the data of todo is in namespace todo, and does not move: one in namespace other would be empty/,
    );
    const after = await up();
    assert.equal(after.exitCode, 0, after.all);
    for (const name of NAMES.slice(1)) assert.match(await image(name), new RegExp(`^${name}:sha256-`));
  });
});

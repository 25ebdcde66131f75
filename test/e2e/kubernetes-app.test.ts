import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppsV1Api, CoreV1Api, KubeConfig, setHeaderOptions } from "@kubernetes/client-node";
import { execa } from "execa";
import { ensureLabRoot } from "../../toolchain/lab/root.ts";
import { withPage } from "./browser.ts";
import { homeWithOwnLab } from "./home.ts";
import { cloneCheckout } from "./registry.ts";

const NAMESPACE = "todo";
/** The chart at 002's path beside the applications: all of its parts anew, by helm. */
const CHART = `      charts:
        evolution-todo:
          chart: ./helm/todo-chatbot
          namespace: helm
          images: { backend.image: todo-backend, frontend.image: todo-frontend, postgres.image: postgres }
          values: { postgres: { size: "" } }
`;

/** Stack cluster by the real engine, on a real node. Needs root, the toolchain, and the todo images built or a way to. */
describe("stack cluster", () => {
  let folder: string;
  let clone: string;
  let environment: Record<string, string>;
  let core: CoreV1Api;
  let apps: AppsV1Api;
  let frontend: string;
  let backend: string;
  /** The chart's. */
  let charted: string;
  let original: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson-stack-cluster-"));
    await ensureLabRoot();
    environment = { KEELSON_HOME: await homeWithOwnLab(folder), PULUMI_CONFIG_PASSPHRASE: "of the cluster" };
    clone = await cloneCheckout(join(folder, "keelson"));
    original = stackFile().replace("      databases:\n", `${CHART}$&`);
    write(original);
  });
  after(async () => {
    await run("npm run lab -- down");
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (command: string) =>
    execa("bash", ["-c", command], { cwd: clone, env: environment, input: "", all: true, reject: false });
  const up = () => run("npm run --silent up -- -s cluster");
  const keelson = (command: string, ...args: string[]) =>
    execa("node", ["toolchain/bootstrap.mjs", command, "-s", "cluster", ...args], {
      ...{ cwd: clone, env: environment, input: "", all: true, reject: false },
    });
  const stackFile = () => readFileSync(join(clone, "Pulumi.cluster.yaml"), "utf8");
  const write = (text: string) => writeFileSync(join(clone, "Pulumi.cluster.yaml"), text);
  const image = async (name: string, namespace = NAMESPACE) =>
    (await apps.readNamespacedDeployment({ name, namespace })).spec?.template.spec?.containers[0]?.image;

  /** A Service by its own address, to which this machine, outside of the cluster, has a way through the node. */
  async function reached(name: string, namespace = NAMESPACE): Promise<string> {
    const { spec } = await core.readNamespacedService({ name, namespace });
    const node = join(environment.KEELSON_HOME ?? "", "lab/kubernetes/node/host.json");
    const { root, id, address } = JSON.parse(readFileSync(node, "utf8"));
    const script = join(import.meta.dirname, "../../toolchain/lab/scripts/host");
    // It goes with the node.
    await execa("bash", [script, "route", root, id, `${spec?.clusterIP}/32`, address]);
    const url = `http://${spec?.clusterIP}:${spec?.ports?.[0]?.port}`;
    // The node learns of a service a moment after the API server.
    while ((await ask(`${url}/health`)) !== "200") await sleep(200);
    return url;
  }

  it("deploys the database, the applications and the chart", async () => {
    const { all, exitCode } = await up();
    assert.equal(exitCode, 0, all);
    const config = new KubeConfig();
    config.loadFromFile(join(environment.KEELSON_HOME ?? "", "lab/kubernetes/kubeconfig"));
    core = config.makeApiClient(CoreV1Api);
    apps = config.makeApiClient(AppsV1Api);
    [frontend, backend] = [await reached("todo-frontend"), await reached("todo-backend")];
    charted = await reached("evolution-todo-backend", "helm");
    assert.match((await image("todo-backend")) ?? "", /todo-backend@sha256:[0-9a-f]{64}$/);
    const { items } = await apps.listNamespacedDeployment({ namespace: "helm" });
    assert.deepEqual(
      items.map(({ metadata, status }) => [metadata?.name, status?.readyReplicas]),
      [
        ["evolution-todo-backend", 1],
        ["evolution-todo-frontend", 1],
      ],
    );
  });

  it("serves the todo application to a browser: create, list, finish and delete, and a reload shows what is kept", async () => {
    const ready = await fetch(`${frontend}/ready`);
    assert.deepEqual([ready.status, await ready.json()], [200, { database: "ok", backend: "ok" }]);
    await withPage(async (page) => {
      const listed = () =>
        page
          .locator("li")
          .evaluateAll((items) =>
            items.map((item) => [item.querySelector("span")?.textContent, item.getAttribute("data-done") === "true"]),
          );
      const item = (title: string) => page.locator("li", { hasText: title });
      await page.goto(frontend);
      await page.getByText("Nothing is left to do.").waitFor();
      for (const title of ["milk", "bread"]) {
        await page.getByLabel("What is to be done").fill(title);
        await page.getByRole("button", { name: "Add" }).click();
        await item(title).waitFor();
      }
      await page.getByText("2 to do").waitFor();
      await item("milk").getByRole("button", { name: "Done" }).click();
      await item("milk").getByRole("button", { name: "Again" }).waitFor();
      await page.getByRole("button", { name: "Delete bread" }).click();
      await item("bread").waitFor({ state: "detached" });
      assert.deepEqual(await listed(), [["milk", true]]);
      await page.reload();
      assert.deepEqual(await listed(), [["milk", true]]);
    });
  });

  it("is asked by the commands that ask hosts", async () => {
    const status = await keelson("status", "--json");
    assert.equal(status.exitCode, 0, status.all);
    const [{ cluster, services, notes }] = JSON.parse(status.stdout);
    assert.deepEqual([cluster, notes], ["lab", []]);
    assert.deepEqual(
      services.map(({ service, state }: { service: string; state: string }) => `${service} ${state}`),
      [
        ...["evolution-todo-backend ok", "evolution-todo-frontend ok", "evolution-todo-postgres ok"],
        ...["todo ok", "todo-backend ok", "todo-frontend ok"],
      ],
    );
    const logs = await keelson("logs", "lab", "todo-backend", "--lines", "3");
    assert.match(logs.stdout, /^(?:\d{4}-\d\d-\d\dT[\d:]{8}Z todo-backend-\S+: .*(?:\n|$)){3}$/);
    const kept = ["psql", "-h", "/tmp", "-U", "todo", "-tAc", "select title, done_at is not null from todo"];
    assert.equal((await keelson("exec", "lab", "todo", ...kept)).stdout, "milk|t");
    const failed = await keelson("exec", "lab", "todo-backend", "python3", "-c", "raise SystemExit(7)");
    assert.equal(failed.exitCode, 7, failed.all);
    const count = "'import sys; print(len(sys.stdin.buffer.read()))'";
    const piped = `head -c 2000000 /dev/zero | npm run --silent keelson -- exec -s cluster lab todo-backend python3 -c ${count}`;
    assert.equal((await run(piped)).all, "2000000");
    const terminal = await run(
      `script -qec "npm run --silent keelson -- exec -s cluster lab -it todo-backend tty" /dev/null`,
    );
    // `script` may type an end of input into its terminal, which shows as ^@ or ^D before or after.
    assert.match(terminal.all.replaceAll(/\^[@D]/g, ""), /^\/dev\/pts\/\d+\s*$/);
  });

  it("shows what somebody changed by hand, and who, and goes back to what ran before", async () => {
    const before = await image("todo-frontend");
    await apps.patchNamespacedDeployment(
      {
        ...{ name: "todo-frontend", namespace: NAMESPACE, fieldManager: "kubectl-set" },
        body: [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "localhost:5443/todo:2" }],
      },
      setHeaderOptions("Content-Type", "application/json-patch+json"),
    );
    const status = await keelson("status", "lab");
    assert.equal(status.exitCode, 3, status.all);
    assert.match(
      status.stdout,
      /lab +todo-frontend +wrong-image, edited by kubectl-set \(image\), unhealthy +localhost/,
    );
    const back = await keelson("rollback", "lab", "todo-frontend");
    assert.equal(back.stdout, `todo-frontend: localhost:5443/todo:2 -> ${before}`, back.all);
    assert.equal((await keelson("status", "lab")).exitCode, 0);
  });

  it("puts back what was changed by hand with the command that the status names", async () => {
    const before = await image("todo-frontend");
    await apps.patchNamespacedDeployment(
      {
        ...{ name: "todo-frontend", namespace: NAMESPACE, fieldManager: "kubectl-set" },
        body: [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "localhost:5443/todo:3" }],
      },
      setHeaderOptions("Content-Type", "application/json-patch+json"),
    );
    const { all } = await keelson("status", "lab");
    const [, fix = ""] =
      /back to what the stack says \(todo-frontend\): (npm run up -- -s cluster --refresh)$/m.exec(all) ?? [];
    const up = await run(fix);
    assert.equal(up.exitCode, 0, `${all}\n${up.all}`);
    const warning =
      /warning: somebody else has changed it: kubectl-set set \.spec\.template\.spec\.containers\[name="todo-frontend"\]\.image/;
    assert.match(up.all, warning);
    assert.equal(await image("todo-frontend"), before);
    assert.equal((await keelson("status", "lab")).exitCode, 0);
  });

  it("loses no request while a new version rolls out", async () => {
    const before = await image("todo-backend");
    const loads = [backend, charted].map((url) => underLoad(`${url}/api/todos`));
    write(original.replace("      migrate:", '      environment: { COLOUR: "green" }\n$&'));
    const template = join(clone, "helm/todo-chatbot/templates/backend.yaml");
    const changed = readFileSync(template, "utf8").replace(/^( *)containers:$/m, "$1hostname: green\n$&");
    writeFileSync(template, changed);
    const { all, exitCode } = await up();
    const [app, chart] = await Promise.all(loads.map((load) => load.stop()));
    assert.equal(exitCode, 0, all);
    assert.match(all, /Deployment todo-backend updated/);
    assert.match(all, /Release lab-evolution-todo updated/);
    const { spec } = await apps.readNamespacedDeployment({ name: "evolution-todo-backend", namespace: "helm" });
    assert.equal(spec?.template.spec?.hostname, "green");
    for (const load of [app, chart]) {
      assert.deepEqual(load?.failures, []);
      assert.ok(load.answers > 100, `${load.answers} answers`);
    }
    assert.equal(await image("todo-backend"), before);
    original = stackFile();
  });

  it("says at once why versions can't run, puts those before back, and serves all the while", async () => {
    const [page, before] = [(await image("todo-frontend")) ?? "", (await image("todo-backend")) ?? ""];
    const bad = `${before.replace(/@.*/, "")}:9.9.9`;
    const loads = [backend, charted].map((url) => underLoad(`${url}/api/todos`));
    const health = "      user: 10001:10001\n      health: { port: 8000, path: /health }\n";
    const crash = `      command: [node, -e, "console.error('no page is to be had'); process.exit(3)"]\n`;
    // One that never served: nothing of it may hold up the end.
    const fresh = `    todo-new:\n      image: ${bad}\n      kubernetes: lab\n${health}`;
    write(
      original
        .replace("    todo-backend:\n", `${fresh}$&`)
        .replace("      image: todo-backend\n", `      image: ${bad}\n${health}`)
        .replace(/ {6}migrate: .*\n/, "")
        // All at once, the chart's too.
        .replace(/ {6}after: .*\n/, "")
        .replace("backend.image: todo-backend, ", "")
        // The engine writes the file anew, with other blanks.
        .replace(/values: \{ ?postgres: \{ ?size: "" ?\}/, `$&, backend: { image: "${bad}" }`)
        .replace("      image: todo-frontend\n", `$&${crash}`),
    );
    const watched = watch(["todo", "helm"]);
    const { all, exitCode } = await up();
    const seen = await watched.stop();
    const ends = await Promise.all(loads.map((load) => load.stop()));
    assert.notEqual(exitCode, 0);
    assert.match(all, new RegExp(`pod todo-backend-\\S+, container todo-backend: ErrImagePull.*${bad}`));
    assert.match(all, /cause: the registry has no image.*\n.*fix: \S/);
    assert.match(all, new RegExp(`pod todo-new-\\S+, container todo-new: ErrImagePull.*${bad}`));
    assert.match(
      all,
      /pod todo-frontend-\S+, container todo-frontend: CrashLoopBackOff.*\n.*\| no page is to be had\n.*cause: .*3.*\n.*fix: correct what stands above/,
    );
    assert.ok(all.includes(`rolled back: todo-backend runs ${before} again, not ${bad}`), all);
    assert.match(all, /rolled back: it has its earlier settings again/);
    assert.deepEqual([await image("todo-frontend"), await image("todo-backend")], [page, before]);
    assert.match(all, /can't upgrade release helm\/evolution-todo: .*; helm has put back the version before/);
    assert.match(
      all,
      new RegExp(
        `pod evolution-todo-backend-\\S+, container migration: ErrImagePull.*${bad}[^]*?cause: the registry has no image.*\\n.*fix: \\S`,
      ),
    );
    assert.equal(await image("evolution-todo-backend", "helm"), before);
    assert.deepEqual(
      ends.map(({ failures }) => failures),
      [[], []],
    );
    const begin = (name: string) => seen.at(`${name} runs ${bad}`);
    const took = {
      // A first deploy, of which nothing is put back: by the engine's own word that it failed.
      "todo-new": seen.at("todo-new failed") - begin("todo/todo-new"),
      // With all that comes after that: until the version before is put back.
      "todo-backend":
        seen.at(`todo/todo-backend runs ${before}`, begin("todo/todo-backend")) - begin("todo/todo-backend"),
      chart:
        seen.at(`helm/evolution-todo-backend runs ${before}`, begin("helm/evolution-todo-backend")) -
        begin("helm/evolution-todo-backend"),
    };
    for (const [what, milliseconds] of Object.entries(took))
      assert.ok(milliseconds > 0 && milliseconds < 20_000, `${what}: ${milliseconds} ms`);
  });

  /**
   * Notes by this test's own clock what Deployments run (`todo/web runs IMAGE`), and what the engine's log of events says
   * that failed (`web failed`), while a run goes on.
   */
  function watch(namespaces: readonly string[]) {
    const events: { readonly what: string; readonly at: number }[] = [];
    const last = new Map<string, string>();
    const note = (key: string, what: string) => {
      if (last.get(key) === what) return;
      last.set(key, what);
      events.push({ what, at: performance.now() });
    };
    let running = true;
    const looking = (async () => {
      while (running) {
        const lists = namespaces.map((namespace) => apps.listNamespacedDeployment({ namespace }));
        for (const { metadata, spec } of (await Promise.all(lists)).flatMap(({ items }) => items)) {
          const name = `${metadata?.namespace}/${metadata?.name}`;
          // A chart's migration runs before it, from the same image.
          note(name, `${name} runs ${spec?.template.spec?.containers[0]?.image}`);
        }
        for (const name of failedResources()) note(`${name} of the engine`, `${name} failed`);
        await sleep(100);
      }
    })();
    return {
      stop: async () => {
        running = false;
        await looking;
        return {
          /** Milliseconds; the first time after another one. */
          at: (what: string, after = 0): number =>
            events.find((event) => event.what === what && event.at > after)?.at ??
            assert.fail(`not seen: ${what}\n${events.map((event) => event.what).join("\n")}`),
        };
      },
    };
  }

  /** Names of Deployments that the engine of the run of now has given up. */
  function failedResources(): string[] {
    const folder = join(clone, ".keelson");
    const logs = readdirSync(folder).filter((name) => /^events-.*\.json$/.test(name));
    // The last line may be on its way.
    const lines = logs.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1));
    return lines
      .map((line) => (JSON.parse(line) as EngineEvent).resOpFailedEvent?.metadata)
      .filter((metadata) => metadata?.type === "kubernetes:apps/v1:Deployment")
      .map((metadata) => metadata?.urn.split("::").at(-1) ?? "");
  }

  it("has nothing to do for the version that it was rolled back to, but to take away what never ran", async () => {
    write(original);
    const { all, exitCode } = await up();
    assert.equal(exitCode, 0, all);
    assert.match(all, /Resources:\n {4}- \d+ deleted\n {4}\d+ unchanged/);
  });

  it("is asked before images are pruned, and nothing is pruned where it does not answer", async () => {
    const asked = await keelson("prune", "--dry-run");
    assert.equal(asked.exitCode, 0, asked.all);
    await run("npm run lab -- down");
    const silent = await keelson("prune", "--yes");
    assert.equal(silent.exitCode, 1, silent.all);
    assert.match(silent.all, /cluster lab of stack cluster does not say what it runs/);
    assert.equal((await keelson("status")).exitCode, 4);
  });
});

interface EngineEvent {
  readonly resOpFailedEvent?: { readonly metadata: { readonly urn: string; readonly type: string } };
}

/** Asks again and again, on a new connection each time, and counts. */
function underLoad(url: string): { readonly stop: () => Promise<{ answers: number; failures: readonly string[] }> } {
  let running = true;
  let answers = 0;
  const failures: string[] = [];
  const client = async () => {
    while (running) {
      const outcome = await ask(url);
      if (outcome === "200") answers++;
      else failures.push(outcome);
      await sleep(20);
    }
  };
  const clients = [client(), client()];
  return {
    stop: async () => {
      running = false;
      await Promise.all(clients);
      return { answers, failures };
    },
  };
}

function ask(url: string): Promise<string> {
  return new Promise((done) => {
    request(url, { agent: false, timeout: 10_000 }, (response) => {
      response.resume().on("end", () => done(String(response.statusCode)));
    })
      .on("timeout", () => done("timeout"))
      .on("error", (error) => done(error.message))
      .end();
  });
}
